/// A chunk of a language model's data, in memory that somebody else owns: time-major [T, B] of the rank's lanes.
package struct TokenChunk {
  /// The tokens that the model reads.
  package let inputs: UnsafePointer<Int32>
  /// The tokens that it should predict.
  package let targets: UnsafePointer<Int32>
  /// The weight of each target in the loss; zero where there is none.
  package let weights: UnsafePointer<Float>
  /// 1 where the lane's state is reset before the step.
  package let resets: UnsafePointer<UInt8>
  /// The lanes of the rank.
  package let lanes: Int
  /// The number of the chunk in the run: part of the key of the dropout masks.
  package let number: UInt32

  /// Views of arrays [T, B] of B `lanes`.
  package init(
    inputs: UnsafePointer<Int32>, targets: UnsafePointer<Int32>, weights: UnsafePointer<Float>,
    resets: UnsafePointer<UInt8>, lanes: Int, number: UInt32
  ) {
    self.inputs = inputs
    self.targets = targets
    self.weights = weights
    self.resets = resets
    self.lanes = lanes
    self.number = number
  }

  /// Whether the state of the lane is reset before step t.
  func isReset(_ t: Int, lane: Int) -> Bool { resets[t * lanes + lane] != 0 }

  /// Whether any lane's state is reset before step t.
  func hasReset(_ t: Int) -> Bool {
    for lane in 0..<lanes where isReset(t, lane: lane) { return true }
    return false
  }
}

/// What passes between layers: values [T B, C] and their gradient.
///
/// Both are views fixed when the model is built, so that a layer knows its input and output for good.
struct Signal {
  let value: Matrix
  let gradient: Matrix
}

/// What all layers of a model share.
struct LayerContext {
  let shape: ChunkShape
  let memory: ParameterMemory
  let gradients: GradientSums
  let products: MatrixProducts
  let meter: StepMeter
  /// The number of the rank's first lane among the lanes of the run.
  let firstLane: Int
}

/// A map of signals with parameters, as an explicit pair of forward and backward passes.
protocol Layer: AnyObject {
  /// Computes the output from the input, and keeps what `backward` needs.
  func forward(_ chunk: TokenChunk)
  /// From the gradient of the output, which it may overwrite, writes the gradient of the input, and adds to the
  /// gradients of its parameters. Follows a `forward` of the same chunk.
  func backward(_ chunk: TokenChunk)
  /// The states that it carries from chunk to chunk.
  var states: [StateSequence] { get }
  /// To be called when the weights have changed.
  func prepareWeights()
}

extension Layer {
  var states: [StateSequence] { [] }
  func prepareWeights() {}
}
