import Core
import Glibc

/// The encoder-decoder for one lane, forward only, in Double, by its equations.
struct ReferencePairModel {
  let configuration: ModelConfiguration
  var parameters: [String: ReferenceParameter]
  /// The states of all layers, by name, with their columns.
  let states: [(name: String, columns: Int)]

  /// What the head reads at each step, the losses, and the weights of attention at each step: the mean over all heads.
  func run(_ pair: LanePair) -> (hidden: [Vector], losses: [Double], attention: [[Double]]) {
    guard !pair.inputs.isEmpty else { return ([], [], []) }
    let (hidden, attention) =
      configuration.hasRecurrentDecoder ? decodeRecurrently(pair) : decodeByBlocks(pair)
    let losses = hidden.indices.map { t in
      let logits = linear("head", hidden[t]).elements
      return log(logits.reduce(0) { $0 + exp($1) }) - logits[pair.targets[t]]
    }
    return (hidden, losses, attention)
  }

  /// The Transformer's decoder.
  private func decodeByBlocks(_ pair: LanePair) -> (hidden: [Vector], attention: [[Double]]) {
    let memory = encode(pair.source).memory
    let decoder = stack("decoder", configuration.ofDecoder(width: memory[0].count))
    let heads = configuration[AttentionOptions.self].heads
    var attention = pair.inputs.map { _ in [Double](repeating: 0, count: memory.count) }
    let hidden = body(decoder, "decoder", self["target.weight"], pair.inputs) { index, values in
      values.enumerated().map { t, value in
        let (answer, weights) = ReferenceLayer.crossAttention(
          value, to: memory, heads: heads, "cross.\(index)", linear: decoder.linear)
        for head in weights {
          for s in memory.indices { attention[t][s] += head[s] / Double(heads * configuration.layers) }
        }
        return answer
      }
    }
    return (hidden, attention)
  }

  /// A part of the model as a model.
  private func stack(_ part: String, _ configuration: ModelConfiguration) -> ReferenceModel {
    let own = parameters.compactMap { name, parameter in
      name.hasPrefix("\(part).") ? (String(name.dropFirst(part.count + 1)), parameter) : nil
    }
    let layers: [ReferenceLayer] = configuration.cell.names.map { name in
      switch name {
      case "attention": .attention
      case "mamba": .mamba
      case "mingru": .minGRU
      case "conv": .conv
      default: Self.cell(name).layer
      }
    }
    return ReferenceModel(
      configuration: configuration, layers: layers,
      parameters: Dictionary(uniqueKeysWithValues: own), dropoutSeed: nil)
  }

  /// The layers of a part over a stream from its beginning.
  private func body(
    _ model: ReferenceModel, _ part: String, _ embedding: ReferenceParameter, _ tokens: [Int],
    cross: ((_ index: Int, _ values: [Vector]) -> [Vector])? = nil
  ) -> [Vector] {
    let chunk = LaneChunk(
      inputs: tokens, targets: tokens, weights: tokens.map { _ in 1 }, resets: tokens.indices.map { $0 == 0 },
      initial: tokens.map { _ in Vector([Double]()) }, lane: 0, number: 0)
    let entering = states.filter { $0.name.hasPrefix("\(part).") }.map { Vector.zero($0.columns) }
    let input = model.positioned(
      tokens.map { embedding.row($0) }, times: 1, chunk, [Vector([0])])
    return model.body(input.values, chunk, entering: entering, cross: cross).values
  }

  private func decodeRecurrently(_ pair: LanePair) -> (hidden: [Vector], attention: [[Double]]) {
    let (memory, last) = encode(pair.source)
    var bridges = 0
    var states: [[Vector]] = (0..<configuration.layers).map { layer in
      decoderCell(layer).states.map { letter in
        defer { bridges += 1 }
        return tanh(linear("bridge.\(bridges)", last[letter] ?? last["h"] ?? Vector([Double]())))
      }
    }
    let attendsBefore = configuration.sourceAttention.attend == .before
    var (hidden, attention) = ([Vector](), [[Double]]())
    func read(by query: Vector) -> Vector {
      attention.append(self.attention(to: memory, by: query))
      return context(memory, last, attention[attention.count - 1])
    }
    for token in pair.inputs {
      var x = self["target.weight"].row(token)
      var context = Vector([Double]())
      if attendsBefore {
        context = read(by: states[0][0])
        x = Vector(x.elements + context.elements)
      }
      for layer in 0..<configuration.layers {
        states[layer] = decoderCell(layer).step(x, states[layer], weights("decoder", "l\(layer)"))
        x = states[layer][0]
      }
      if !attendsBefore { context = read(by: x) }
      hidden.append(tanh(linear("combine", Vector(context.elements + x.elements))))
    }
    return (hidden, attention)
  }

  /// h_s of each position, and the last states by letter.
  private func encode(_ source: [Int]) -> (memory: [Vector], last: [String: Vector]) {
    guard !configuration.residual && configuration.cell.names.allSatisfy(Self.isRecurrent) else {
      let values = body(stack("encoder", configuration), "encoder", self["source.weight"], source)
      return (values, ["h": values[values.count - 1]])
    }
    var values = source.map { self["source.weight"].row($0) }
    var last: [String: Vector] = [:]
    for layer in 0..<configuration.layers {
      let cell = cell(layer)
      let forward = run(cell, values, weights("encoder", "l\(layer)"))
      guard configuration.bidirectional else {
        values = forward.outputs
        last = Dictionary(uniqueKeysWithValues: zip(cell.states, forward.states))
        continue
      }
      let reverse = run(cell, values.reversed(), weights("encoder", "l\(layer)_reverse"))
      values = zip(forward.outputs, reverse.outputs.reversed()).map { Vector($0.elements + $1.elements) }
      let states = zip(forward.states, reverse.states).map { Vector($0.elements + $1.elements) }
      last = Dictionary(uniqueKeysWithValues: zip(cell.states, states))
    }
    return (values, last)
  }

  private func run(_ cell: ReferenceCell, _ inputs: [Vector], _ weights: RecurrentWeights) -> (
    outputs: [Vector], states: [Vector]
  ) {
    var states = cell.states.map { _ in Vector.zero(configuration.hidden) }
    let outputs = inputs.map { x in
      states = cell.step(x, states, weights)
      return states[0]
    }
    return (outputs, states)
  }

  /// The weights of a query.
  private func attention(to memory: [Vector], by q: Vector) -> [Double] {
    let scores = memory.map { score(q, $0) }
    let total = scores.reduce(0) { $0 + exp($1) }
    return scores.map { exp($0) / total }
  }

  /// The context for a query that has these weights.
  private func context(_ memory: [Vector], _ last: [String: Vector], _ weights: [Double]) -> Vector {
    guard configuration.sourceAttention.score != .none else { return last["h"] ?? Vector([Double]()) }
    return zip(memory, weights).reduce(.zero(memory[0].count)) { sum, part in
      sum + part.0 * Vector([Double](repeating: part.1, count: part.0.count))
    }
  }

  private func score(_ q: Vector, _ h: Vector) -> Double {
    switch configuration.sourceAttention.score {
    case .none: 0
    case .dot: (q * h).sum
    case .scaled: (q * h).sum / Double(q.count).squareRoot()
    case .general: (q * (self["attention.weight.weight"] * h)).sum
    case .additive:
      (self["attention.v"].vector * tanh(linear("attention.query", q) + self["attention.key.weight"] * h)).sum
    case .cosine:
      exp(self["attention.log_beta"].elements[0]) * (q * h).sum
        / ((q * q).sum.squareRoot() * (h * h).sum.squareRoot())
    }
  }

  private func cell(_ layer: Int) -> ReferenceCell {
    Self.cell(configuration.cell.names[layer % configuration.cell.names.count])
  }

  private func decoderCell(_ layer: Int) -> ReferenceCell {
    let names = configuration.decoderCell.names
    return Self.cell(names[layer % names.count])
  }

  private static func isRecurrent(_ name: String) -> Bool { ["rnn", "gru", "lstm", "lstm2"].contains(name) }

  private static func cell(_ name: String) -> ReferenceCell {
    switch name {
    case "gru": .gru
    case "lstm": .lstm
    case "lstm2": .lstm2
    default: .rnn { tanh($0) }
    }
  }

  private func weights(_ part: String, _ suffix: String) -> RecurrentWeights {
    func parameter(_ name: String) -> ReferenceParameter { self["\(part).rnn.\(name)_\(suffix)"] }
    let recurrent = parameter("weight_hh")
    return RecurrentWeights(
      input: parameter("weight_ih"), recurrent: recurrent, inputBias: parameter("bias_ih").vector,
      recurrentBias: parameter("bias_hh").vector, transitions: [], activation: { $0 },
      mask: Vector([Double](repeating: 1, count: recurrent.columns)))
  }

  /// W x + b
  private func linear(_ name: String, _ x: Vector) -> Vector {
    self["\(name).weight"] * x + self["\(name).bias"].vector
  }

  private subscript(name: String) -> ReferenceParameter {
    guard let parameter = parameters[name] else { preconditionFailure("no parameter \(name)") }
    return parameter
  }
}
