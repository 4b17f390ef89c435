import Chunks

/// The input projection of a decoder that attends before each step (Bahdanau et al. 2015): step t reads its input, and behind
/// it what the source says to the state before:
///
///     [x_t, context(h_{t-1})] weight^T + bias
///
/// Only the context's part is computed step by step.
final class AttentiveProjection: InputProjection {
  var context: Signal? { reader.context }

  private let products: ModuleContext
  private let weight: ParameterView
  private let input: Signal
  private let sink: Sink?
  private let reader: any SourceReader
  /// What each step reads. [T B, E + M]
  private let read: Matrix
  /// The states before the steps. [T B, M]
  private let queries: Matrix
  private let packedForward: MatrixProducts.Packed
  private let packedGradient: MatrixProducts.Packed

  /// Projects by `weight` [G M, E + M] for a layer that is as wide as the memory.
  init(_ builder: Builder, weight: ParameterView, reading input: Signal, _ source: EncodedSource) {
    products = builder.context
    self.weight = weight
    self.input = input
    sink = builder.read(input)
    let (rows, outputs, width) = (builder.shape.rows, weight.weights.rows, source.memory.value.columns)
    reader = source.reader(builder, queries: width)
    read = builder.floats(rows, weight.weights.columns)
    queries = builder.floats(rows, width)
    products.products.reserve(
      rows: products.shape.rowsPerShard, outputs: outputs, inputs: weight.weights.columns)
    packedForward = builder.packed(outputs: outputs, inputs: width, accumulate: true)
    packedGradient = builder.packed(outputs: width, inputs: outputs, accumulate: true)
  }

  private var inputColumns: Range<Int> { 0..<input.value.columns }
  private var contextColumns: Range<Int> { input.value.columns..<read.columns }

  func prepareWeights() {
    let weights = weight.weights.columns(contextColumns)
    products.products.packForward(weights, into: packedForward)
    products.products.packInputGradient(weights, into: packedGradient)
  }

  func forward(_ chunk: Chunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput {
    let (x, gates) = (input.value.prefix(chunk.rows), gates.prefix(chunk.rows))
    copy(x, to: read.columns(inputColumns))
    products.affine(x, weight.weights.columns(inputColumns), bias, into: gates)
    reader.enter(chunk)
    return ProjectedInput(table: gates, index: nil, lanes: chunk.lanes)
  }

  func step(_ t: Int, _ chunk: Chunk, previous: Matrix, gates: Matrix) {
    let query = queries.step(t, of: chunk.lanes)
    query.copy(from: previous)
    reader.forward(t..<t + 1, queries: query)
    let context = reader.context.value.step(t, of: chunk.lanes)
    copy(context, to: read.columns(contextColumns).step(t, of: chunk.lanes))
    products.products.multiply(context, packedForward, into: gates.step(t, of: chunk.lanes))
  }

  func backwardStep(_ t: Int, _ chunk: Chunk, gateGradients: Matrix, dPrevious: Matrix) {
    products.products.multiply(
      gateGradients.step(t, of: chunk.lanes), packedGradient,
      into: reader.context.gradient.step(t, of: chunk.lanes))
    reader.backward(t..<t + 1, queries: queries.step(t, of: chunk.lanes), into: dPrevious)
  }

  func backward(_ chunk: Chunk, gateGradients: Matrix) {
    let gradients = gateGradients.prefix(chunk.rows)
    products.gradients.addProduct(
      gradients, read.prefix(chunk.rows), steps: chunk.steps, to: weight.gradient)
    // Read before the input, which is the earlier reader's.
    reader.finish(chunk, queries: queries.prefix(chunk.rows))
    sink?.write(
      gradients, times: weight.weights.columns(inputColumns), rows: 0..<chunk.rows, products.products)
  }

  private func copy(_ from: Matrix, to: Matrix) {
    for row in 0..<from.rows { to[row].update(from: from[row], count: from.columns) }
  }
}
