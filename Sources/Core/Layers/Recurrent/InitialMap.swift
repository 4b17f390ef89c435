import CKernels
import Chunks

/// What the state of a lane begins with, where a stream begins.
protocol InitialStates: AnyObject {
  /// Begins a chunk.
  func forward(_ chunk: Chunk)
  /// The first state of the stream that begins at a position.
  func state(at position: Int) -> UnsafePointer<Float>
  /// Takes the gradient of that.
  func add(_ gradient: UnsafePointer<Float>, at position: Int)
  /// Ends the backward pass of a chunk, whose gradients are all there.
  func backward(_ chunk: Chunk)
}

/// The first state of each stream as a linear map of its initial conditions: h_0 = x weight^T + bias.
///
/// A chunk holds the conditions of a stream where the stream begins. The map is computed for all positions at once.
final class InitialMap: InitialStates {
  private let context: ModuleContext
  private let weight: ParameterView
  private let bias: ParameterView
  /// The first states, and their gradients, zero where none is used. [T B, H]
  private let values: Matrix
  private let gradients: Matrix

  /// Reads frames of `inputs` numbers by the parameters `name`.weight [H, inputs] and `name`.bias [H].
  init(_ builder: Builder, name: String, inputs: Int, hidden: Int, rule: WeightInitialization) {
    context = builder.context
    weight = builder.parameter(
      "\(name).weight", [hidden, inputs],
      .weights(rule, outputs: hidden, inputs: inputs, blocks: 1, hidden: hidden))
    bias = builder.parameter("\(name).bias", [hidden], .constant(0))
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: hidden, inputs: inputs)
    values = builder.floats(builder.shape.rows, hidden)
    gradients = builder.floats(builder.shape.rows, hidden)
  }

  /// One for a state of a layer, where the data have initial conditions.
  convenience init?(_ builder: Builder, _ configuration: ModelConfiguration, name: String, hidden: Int) {
    guard case .frames(let width) = builder.tracks[.initial] else { return nil }
    self.init(
      builder, name: name, inputs: width, hidden: hidden, rule: configuration.initialization.input)
  }

  func forward(_ chunk: Chunk) {
    context.affine(
      chunk.frames(.initial), weight.weights, bias.weights.base, into: values.prefix(chunk.rows))
    gradients.prefix(chunk.rows).clear()
  }

  func state(at position: Int) -> UnsafePointer<Float> { UnsafePointer(values[position]) }

  func add(_ gradient: UnsafePointer<Float>, at position: Int) {
    st_add(gradients.columns, gradients[position], gradient, gradients[position])
  }

  func backward(_ chunk: Chunk) {
    let gradients = gradients.prefix(chunk.rows)
    context.gradients.addProduct(
      gradients, chunk.frames(.initial), steps: chunk.steps, to: weight.gradient)
    context.gradients.addColumnSums(gradients, steps: chunk.steps, to: bias.gradient)
  }
}
