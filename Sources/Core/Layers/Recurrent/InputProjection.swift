import Chunks

/// The projected inputs of one time step: lane b reads row `index ? index[b] : b`.
struct ProjectedStep {
  let rows: UnsafePointer<Float>
  let index: UnsafePointer<Int32>?
}

/// The projected inputs of a chunk, either a row for each of its T B positions, or a table with an index [T, B] into
/// it.
struct ProjectedInput {
  let table: Matrix
  let index: UnsafePointer<Int32>?
  let lanes: Int

  func step(_ t: Int) -> ProjectedStep { step(t, lanes: 0..<lanes) }

  /// Those of some lanes.
  func step(_ t: Int, lanes range: Range<Int>) -> ProjectedStep {
    let first = t * lanes + range.lowerBound
    if let index { return ProjectedStep(rows: table.base, index: index + first) }
    return ProjectedStep(rows: table[first], index: nil)
  }
}

/// How a recurrent layer reads its input: x weight_ih^T + bias over the whole chunk.
protocol InputProjection: AnyObject {
  /// Projects the chunk's input, into `gates` [T B, G H] or into memory of its own; `bias` [G H] is added.
  func forward(_ chunk: Chunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput
  /// Call before each step: adds to the step's projection what depends on the state before it.
  func step(_ t: Int, _ chunk: Chunk, previous: Matrix, gates: Matrix)
  /// The backward pass of that, from the gradients of the step's projection; adds to `dPrevious`.
  func backwardStep(_ t: Int, _ chunk: Chunk, gateGradients: Matrix, dPrevious: Matrix)
  /// From the gradients of the projected inputs [T B, G H] to those of weight_ih and of the input.
  func backward(_ chunk: Chunk, gateGradients: Matrix)
  /// Call when the weights have changed.
  func prepareWeights()
  /// What it reads from the source of pairs, if it does. [T B, M]
  var context: Signal? { get }
}

extension InputProjection {
  func step(_ t: Int, _ chunk: Chunk, previous: Matrix, gates: Matrix) {}
  func backwardStep(_ t: Int, _ chunk: Chunk, gateGradients: Matrix, dPrevious: Matrix) {}
  func prepareWeights() {}
  var context: Signal? { nil }
}

/// The projection of a signal.
final class SignalProjection: InputProjection {
  private let context: ModuleContext
  private let weight: ParameterView
  private let input: Signal
  private let sink: Sink?

  /// Projects `input` by `weight` [G H, E].
  init(_ builder: Builder, weight: ParameterView, reading input: Signal) {
    context = builder.context
    self.weight = weight
    self.input = input
    sink = builder.read(input)
    context.products.reserve(
      rows: context.shape.rowsPerShard, outputs: weight.weights.rows, inputs: input.value.columns)
  }

  func forward(_ chunk: Chunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput {
    let gates = gates.prefix(chunk.rows)
    context.affine(input.value.prefix(chunk.rows), weight.weights, bias, into: gates)
    return ProjectedInput(table: gates, index: nil, lanes: chunk.lanes)
  }

  func backward(_ chunk: Chunk, gateGradients: Matrix) {
    let gradients = gateGradients.prefix(chunk.rows)
    context.gradients.addProduct(
      gradients, input.value.prefix(chunk.rows), steps: chunk.steps, to: weight.gradient)
    sink?.write(gradients, times: weight.weights, rows: 0..<chunk.rows, context.products)
  }
}
