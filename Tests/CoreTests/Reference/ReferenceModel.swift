import Core
import Glibc
import Random

/// A chunk of one lane.
struct LaneChunk {
  var inputs: [Int]
  var targets: [Int]
  var weights: [Double]
  var resets: [Bool]
  /// The initial conditions at each step, of the stream that begins there; empty vectors where the data have none.
  var initial: [Vector]
  /// The lane's number in the run, and the chunk's.
  var lane: Int
  var number: UInt32

  /// The resets and initial conditions that the other direction meets: streams begin at their ends.
  var reversed: LaneChunk {
    var other = self
    let steps = resets.indices.reversed()
    other.resets = steps.map { $0 + 1 == resets.count || resets[$0 + 1] }
    other.initial = steps.map { initial[resets[...$0].lastIndex(of: true) ?? 0] }
    return other
  }
}

/// The language model for one lane, forward only, in Double, by its equations.
struct ReferenceModel {
  let configuration: ModelConfiguration
  /// Repeated from the first layer to the last.
  let layers: [ReferenceLayer]
  var parameters: [String: ReferenceParameter]
  /// nil where nothing is dropped.
  var dropoutSeed: UInt64?

  struct Result {
    /// For each step, in nats, times the target's weight.
    var losses: [Double]
    /// What the head reads at each step.
    var hidden: [Vector]
    /// The states after the last step, layer by layer in the layer's order, as `entering` has them.
    var states: [Vector]
  }

  func run(_ chunk: LaneChunk, entering: [Vector]) -> Result {
    let factor = configuration.tied ? Double(configuration.embedding).squareRoot() : 1
    let input = positioned(
      chunk.inputs.map { self["embedding.weight"].row($0) }, times: factor, chunk, Array(entering))
    let body = body(input.values, chunk, entering: Array(entering.dropFirst(input.states.count)))
    var values = body.values
    values = masked(
      values, "output_dropout", configuration.variationalDropout.output, chunk, variational: true)
    for layer in 0..<configuration.outputLayers {
      values = values.map { gelu(linear("output.\(layer)", $0)) }
    }
    let losses = values.indices.map { chunk.weights[$0] * crossEntropy(values[$0], chunk.targets[$0]) }
    return Result(losses: losses, hidden: values, states: input.states + body.states)
  }

  /// x factor + sines and cosines, where attention has sinusoidal positions; the state is how many the stream has had.
  func positioned(_ values: [Vector], times factor: Double, _ chunk: LaneChunk, _ entering: [Vector]) -> (
    values: [Vector], states: [Vector]
  ) {
    let options = configuration[AttentionOptions.self]
    guard options.positions == .sinusoidal else { return (values, []) }
    var count = entering[0].elements[0].rounded()
    let sums = values.indices.map { t in
      if chunk.resets[t] { count = 0 }
      defer { count += 1 }
      let width = values[t].count
      let waves = (0..<width).map { i in
        let angle = count * pow(10_000, -Double(i / 2 * 2) / Double(width))
        return i % 2 == 0 ? sin(angle) : cos(angle)
      }
      return values[t].map { $0 * factor } + Vector(waves)
    }
    return (sums, [Vector([count])])
  }

  /// The layers; `cross` is what a decoder's block adds between its layer and its perceptron.
  func body(
    _ input: [Vector], _ chunk: LaneChunk, entering: [Vector],
    cross: ((_ index: Int, _ values: [Vector]) -> [Vector])? = nil
  ) -> (values: [Vector], states: [Vector]) {
    var (values, states) = (input, [Vector]())
    for index in 0..<configuration.layers {
      let layer = layers[index % layers.count]
      var state = Array(entering[states.count..<states.count + layer.states(configuration)])
      values = sum("", index, values, chunk) { read in
        let read = masked(
          read, "input_dropout.\(index)", configuration.variationalDropout.input, chunk, variational: true)
        var outputs = layer.run(read, chunk, &state, ReferenceLayer.Context(model: self, index: index))
        if configuration.layerNorm { outputs = outputs.map { layerNorm($0, "norm.\(index)") } }
        return parameters["glu.\(index).weight"] == nil ? outputs : outputs.map { gated($0, index) }
      }
      states += state
      if let cross { values = sum("cross_", index, values, chunk) { cross(index, $0) } }
      if configuration.mlp > 0 { values = sum("mlp_", index, values, chunk) { perceptron($0, index) } }
    }
    let isNormed = configuration.residual && configuration.normFirst
    return (isNormed ? normalized(values, "final_norm") : values, states)
  }

  /// In residual blocks x + part(norm(x)) or norm(x + part(x)), otherwise the part.
  private func sum(
    _ prefix: String, _ index: Int, _ values: [Vector], _ chunk: LaneChunk, part: ([Vector]) -> [Vector]
  ) -> [Vector] {
    let name = "\(prefix)norm.\(index)"
    let isFirst = configuration.residual && configuration.normFirst
    var outputs = part(isFirst ? normalized(values, name) : values)
    if configuration.residual || index + 1 < configuration.layers {
      outputs = masked(outputs, "\(prefix)dropout.\(index)", configuration.dropout, chunk)
    }
    guard configuration.residual else { return outputs }
    let sums = zip(values, outputs).map { $0 + $1 }
    return isFirst ? sums : normalized(sums, name)
  }

  subscript(name: String) -> ReferenceParameter {
    guard let parameter = parameters[name] else { preconditionFailure("no parameter \(name)") }
    return parameter
  }

  /// W x + b
  func linear(_ name: String, _ x: Vector) -> Vector {
    self["\(name).weight"] * x + self["\(name).bias"].vector
  }

  /// u sigmoid(v), [u, v] = glu gelu(x)
  private func gated(_ x: Vector, _ layer: Int) -> Vector {
    let halves = linear("glu.\(layer)", gelu(x)).gates(2)
    return halves[0] * sigmoid(halves[1])
  }

  /// down(gelu(up x)), or down(silu(u) v), [u, v] = up x
  private func perceptron(_ values: [Vector], _ layer: Int) -> [Vector] {
    values.map { x in
      let up = linear("up.\(layer)", x)
      guard configuration.mlpKind == .gated else { return linear("down.\(layer)", gelu(up)) }
      let halves = up.gates(2)
      return linear("down.\(layer)", halves[0] * sigmoid(halves[0]) * halves[1])
    }
  }

  private func normalized(_ values: [Vector], _ name: String) -> [Vector] {
    switch configuration.norm {
    case .none: values
    case .layer: values.map { layerNorm($0, name) }
    case .rms: values.map { $0 / (($0 * $0).mean + 1e-5).squareRoot() * self["\(name).weight"].vector }
    }
  }

  /// (x - mean) / sqrt(variance + 1e-5) * gain + bias
  private func layerNorm(_ x: Vector, _ name: String) -> Vector {
    let deviation = x - x.mean
    let variance = (deviation * deviation).mean
    return deviation / (variance + 1e-5).squareRoot() * self["\(name).weight"].vector
      + self["\(name).bias"].vector
  }

  private func masked(
    _ values: [Vector], _ name: String, _ probability: Double, _ chunk: LaneChunk, variational: Bool = false
  ) -> [Vector] {
    values.indices.map { t in
      values[t] * mask(name, probability, variational ? .max : UInt32(t), chunk, values[t].count)
    }
  }

  /// Zero for what dropout drops, 1 / (1 - p) for what it keeps.
  func mask(_ name: String, _ probability: Double, _ t: UInt32, _ chunk: LaneChunk, _ count: Int) -> Vector {
    guard let dropoutSeed, probability > 0 else { return Vector([Double](repeating: 1, count: count)) }
    let keep = Double(Float(1 - probability))
    let key = RandomKey(seed: dropoutSeed, purpose: .dropout, name: name)
    var random = RandomStream(key, at: (chunk.number, t, UInt32(chunk.lane)))
    return Vector((0..<count).map { _ in Double(random.next32() >> 8) * 0x1p-24 < keep ? 1 / keep : 0 })
  }

  /// -log softmax(W x + b)[target]
  private func crossEntropy(_ x: Vector, _ target: Int) -> Double {
    let w = self[configuration.tied ? "embedding.weight" : "head.weight"]
    let logits = w * x + self["head.bias"].vector
    let largest = logits.elements.max() ?? 0
    return log((logits - largest).map { exp($0) }.sum) - (logits.elements[target] - largest)
  }
}
