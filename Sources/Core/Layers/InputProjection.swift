import CKernels

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

  func step(_ t: Int) -> ProjectedStep {
    if let index { return ProjectedStep(rows: table.base, index: index + t * lanes) }
    return ProjectedStep(rows: table.step(t, of: lanes).base, index: nil)
  }
}

/// How a recurrent layer reads its input: x weight_ih^T + bias over the whole chunk.
protocol InputProjection: AnyObject {
  /// Projects the chunk's input, into `gates` [T B, G H] or into memory of its own; `bias` [G H] is added.
  func forward(_ chunk: TokenChunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput
  /// From the gradients of the projected inputs [T B, G H] to those of weight_ih and of the input.
  func backward(_ chunk: TokenChunk, gateGradients: Matrix)
}

/// The projection of the output of a layer below.
final class DenseProjection: InputProjection {
  private let context: LayerContext
  private let weight: ParameterView
  private let input: Signal

  /// Projects `input` by the parameter `weight` [G H, E].
  init(_ context: LayerContext, weight: String, input: Signal) {
    self.context = context
    self.weight = context.gradients.parameter(weight)
    self.input = input
    context.products.reserve(
      rows: context.shape.rowsPerShard, outputs: self.weight.weights.rows, inputs: input.value.columns)
  }

  func forward(_ chunk: TokenChunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput {
    st_fill_rows(gates.rows, gates.columns, bias, gates.base, gates.stride)
    context.products.forward(input.value, weight.weights, into: gates, accumulate: true)
    return ProjectedInput(table: gates, index: nil, lanes: chunk.lanes)
  }

  func backward(_ chunk: TokenChunk, gateGradients: Matrix) {
    context.gradients.addProduct(gateGradients, input.value, to: weight.gradient)
    context.products.inputGradient(gateGradients, weight.weights, into: input.gradient)
  }
}
