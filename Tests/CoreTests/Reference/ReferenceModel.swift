import Core
import Glibc
import Random

/// A chunk of one lane.
struct LaneChunk {
  var inputs: [Int]
  var targets: [Int]
  var weights: [Double]
  var resets: [Bool]
  /// The lane's number in the run, and the chunk's.
  var lane: Int
  var number: UInt32
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
      values = self.layer.run(
        values, chunk.resets, &state, ReferenceLayer.Context(model: self, index: layer))
      states += state
      if configuration.layerNorm { values = values.map { normalize($0, layer) } }
      if layer + 1 < configuration.layers {
        for t in values.indices { values[t] = values[t] * mask(layer, t, chunk, values[t].count) }
      }
    }
    let losses = values.indices.map { chunk.weights[$0] * crossEntropy(values[$0], chunk.targets[$0]) }
    return Result(losses: losses, hidden: values, states: states)
  }

  subscript(name: String) -> ReferenceParameter {
    guard let parameter = parameters[name] else { preconditionFailure("no parameter \(name)") }
    return parameter
  }

  /// (x - mean) / sqrt(variance + 1e-5) * gain + bias
  private func normalize(_ x: Vector, _ layer: Int) -> Vector {
    let deviation = x - x.mean
    let variance = (deviation * deviation).mean
    return deviation / (variance + 1e-5).squareRoot() * self["norm.\(layer).weight"].vector
      + self["norm.\(layer).bias"].vector
  }

  /// Zero for what dropout drops, 1 / (1 - p) for what it keeps.
  private func mask(_ layer: Int, _ t: Int, _ chunk: LaneChunk, _ count: Int) -> Vector {
    guard let dropoutSeed, configuration.dropout > 0 else {
      return Vector([Double](repeating: 1, count: count))
    }
    let keep = Double(Float(1 - configuration.dropout))
    let key = RandomKey(seed: dropoutSeed &+ UInt64(layer) << 32, purpose: .dropout)
    var random = RandomStream(key, at: (chunk.number, UInt32(t), UInt32(chunk.lane)))
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
