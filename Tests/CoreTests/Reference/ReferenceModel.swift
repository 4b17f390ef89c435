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
  let layer: ReferenceLayer
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
    var values = chunk.inputs.map { self["embedding.weight"].row($0) }
    var states: [Vector] = []
    let count = layer.states(configuration)
    for layer in 0..<configuration.layers {
      var state = Array(entering[layer * count..<(layer + 1) * count])
      let context = ReferenceLayer.Context(model: self, index: layer)
      let read = configuration.residual ? normalized(values, "norm.\(layer)") : values
      var outputs = self.layer.run(
        masked(
          read, "input_dropout.\(layer)", configuration.variationalDropout.input, chunk, variational: true),
        chunk, &state, context)
      states += state
      if configuration.layerNorm { outputs = outputs.map { layerNorm($0, "norm.\(layer)") } }
      if parameters["glu.\(layer).weight"] != nil { outputs = outputs.map { gated($0, layer) } }
      if configuration.residual || layer + 1 < configuration.layers {
        outputs = masked(outputs, "dropout.\(layer)", configuration.dropout, chunk)
      }
      values = configuration.residual ? zip(values, outputs).map { $0 + $1 } : outputs
      if configuration.mlp > 0 { values = perceptron(values, layer, chunk) }
    }
    if configuration.residual { values = normalized(values, "final_norm") }
    values = masked(
      values, "output_dropout", configuration.variationalDropout.output, chunk, variational: true)
    for layer in 0..<configuration.outputLayers {
      values = values.map { gelu(linear("output.\(layer)", $0)) }
    }
    let losses = values.indices.map { chunk.weights[$0] * crossEntropy(values[$0], chunk.targets[$0]) }
    return Result(losses: losses, hidden: values, states: states)
  }

  subscript(name: String) -> ReferenceParameter {
    guard let parameter = parameters[name] else { preconditionFailure("no parameter \(name)") }
    return parameter
  }

  /// W x + b
  private func linear(_ name: String, _ x: Vector) -> Vector {
    self["\(name).weight"] * x + self["\(name).bias"].vector
  }

  /// u sigmoid(v), [u, v] = glu gelu(x)
  private func gated(_ x: Vector, _ layer: Int) -> Vector {
    let halves = linear("glu.\(layer)", gelu(x)).gates(2)
    return halves[0] * sigmoid(halves[1])
  }

  /// x + down(gelu(up norm(x))), or x + down(silu(u) v), [u, v] = up norm(x)
  private func perceptron(_ values: [Vector], _ layer: Int, _ chunk: LaneChunk) -> [Vector] {
    let outputs = normalized(values, "mlp_norm.\(layer)").map { x in
      let up = linear("up.\(layer)", x)
      guard configuration.mlpKind == .gated else { return linear("down.\(layer)", gelu(up)) }
      let halves = up.gates(2)
      return linear("down.\(layer)", halves[0] * sigmoid(halves[0]) * halves[1])
    }
    return zip(values, masked(outputs, "mlp_dropout.\(layer)", configuration.dropout, chunk)).map { $0 + $1 }
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
