import CKernels
import Chunks
import Glibc

/// A score of attention: how queries are compared with the keys of the source. Matrices of scores are [steps B, S].
protocol AttentionScore: AnyObject {
  /// What the softmax multiplies scores by.
  var scale: Float { get }
  /// Begins a chunk.
  func enter()
  /// The scores of the queries of some time steps.
  func forward(_ steps: Range<Int>, _ lengths: SourceLengths, queries: Matrix, into scores: Matrix)
  /// From the gradients of those scores, adds to the gradients of the queries.
  func backward(
    _ steps: Range<Int>, _ lengths: SourceLengths, queries: Matrix, scores: Matrix, into dQueries: Matrix)
  /// From the gradients of all scores, adds to the gradients of the keys and of parameters.
  func finish(
    _ chunk: Chunk, _ source: Chunk, _ lengths: SourceLengths, queries: Matrix, scores: Matrix)
}

/// The scores that are scalar products: q . k times 1, or 1 / sqrt(width); of `cosine`, those of q at length one, times
/// exp(log_beta).
final class DotScore: AttentionScore {
  private(set) var scale: Float = 1

  private let context: ModuleContext
  private let keys: Signal
  private let sink: Sink?
  private let unit: Unit?

  /// The queries at length one, and what belongs to them. [T B, Q]
  private struct Unit {
    let logBeta: ParameterView
    let queries: Matrix
    /// [T B, 1]
    let inverseLengths: Matrix
    /// The gradient of log_beta at each position. [T B, 1]
    let logBetaGradients: Matrix
    /// [T B, Q]
    let gradients: Matrix
  }

  /// Compares `queries` columns with `keys`.
  init(_ builder: Builder, keys: Signal, queries: Int, _ kind: AttentionScoreKind) {
    context = builder.context
    self.keys = keys
    sink = builder.read(keys)
    if kind == .scaled { scale = 1 / Float(queries).squareRoot() }
    guard kind == .cosine else {
      unit = nil
      return
    }
    let rows = builder.shape.rows
    unit = Unit(
      logBeta: builder.parameter("attention.log_beta", [], .constant(0)),
      queries: builder.floats(rows, queries), inverseLengths: builder.floats(rows, 1),
      logBetaGradients: builder.floats(rows, 1), gradients: builder.floats(rows, queries))
  }

  func enter() {
    if let unit { scale = exp(unit.logBeta.weights.base[0]) }
  }

  func forward(_ steps: Range<Int>, _ lengths: SourceLengths, queries: Matrix, into scores: Matrix) {
    var queries = queries
    if let unit {
      let y = unit.queries.steps(steps, of: lengths.count)
      st_unit_rows_forward(
        y.rows, y.columns, queries.base, 1e-12, unit.inverseLengths.steps(steps, of: lengths.count).base,
        y.base)
      queries = y
    }
    st_source_products(
      steps.count, lengths.count, queries.columns, lengths.values, queries.base, keys.value.base, scores.base,
      scores.stride)
  }

  func backward(
    _ steps: Range<Int>, _ lengths: SourceLengths, queries: Matrix, scores: Matrix, into dQueries: Matrix
  ) {
    guard let unit else {
      return addSums(steps, lengths, scores, to: dQueries, accumulate: true)
    }
    func rows(_ matrix: Matrix) -> Matrix { matrix.steps(steps, of: lengths.count) }
    let (q, dq) = (rows(unit.queries), rows(unit.gradients))
    addSums(steps, lengths, scores, to: dq, accumulate: false)
    st_row_products(q.rows, q.columns, q.base, dq.base, rows(unit.logBetaGradients).base)
    st_unit_rows_backward(
      q.rows, q.columns, dq.base, q.base, rows(unit.inverseLengths).base, dq.base)
    dQueries.add(dq)
  }

  func finish(
    _ chunk: Chunk, _ source: Chunk, _ lengths: SourceLengths, queries: Matrix, scores: Matrix
  ) {
    if let unit {
      context.gradients.addColumnSums(
        unit.logBetaGradients.prefix(chunk.rows), steps: chunk.steps, to: unit.logBeta.gradient)
    }
    let queries = unit?.queries ?? queries
    sink?.write(rows: source.rows) { sum in
      sum.clear()
      st_add_to_source(
        chunk.steps, lengths.count, sum.columns, lengths.values, scores.base, scores.stride, queries.base,
        sum.base)
    }
  }

  private func addSums(
    _ steps: Range<Int>, _ lengths: SourceLengths, _ scores: Matrix, to sums: Matrix, accumulate: Bool
  ) {
    st_source_sums(
      steps.count, lengths.count, sums.columns, lengths.values, scores.base, scores.stride, keys.value.base,
      sums.base, accumulate)
  }
}

/// The score of additive attention: v . tanh(W q + b + k), W q + b by the parameters `attention.query`.
final class AdditiveScore: AttentionScore {
  let scale: Float = 1

  private let context: ModuleContext
  private let keys: Signal
  private let sink: Sink?
  private let weight: ParameterView
  private let bias: ParameterView
  private let v: ParameterView
  /// W q + b, and its gradient. [T B, A]
  private let projected: Matrix
  private let projectedGradients: Matrix
  /// [S B, A]
  private let keyGradients: Matrix
  /// The gradient of v in each lane. [B, A]
  private let vGradients: Matrix

  /// Compares `queries` columns with `keys`.
  init(_ builder: Builder, keys: Signal, queries: Int) {
    let (rows, width) = (builder.shape.rows, keys.value.columns)
    let bound = 1 / Double(width).squareRoot()
    context = builder.context
    self.keys = keys
    sink = builder.read(keys)
    weight = builder.parameter(
      "attention.query.weight", [width, queries], .uniform(bound: 1 / Double(queries).squareRoot()))
    bias = builder.parameter("attention.query.bias", [width], .constant(0))
    v = builder.parameter("attention.v", [width], .uniform(bound: bound))
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: width, inputs: queries)
    projected = builder.floats(rows, width)
    projectedGradients = builder.floats(rows, width)
    keyGradients = builder.floats(keys.value.rows, width)
    vGradients = builder.floats(builder.shape.lanes, width)
  }

  func enter() {
    keyGradients.clear()
    vGradients.clear()
  }

  func forward(_ steps: Range<Int>, _ lengths: SourceLengths, queries: Matrix, into scores: Matrix) {
    let q = projected.steps(steps, of: lengths.count)
    context.affine(queries, weight.weights, bias.weights.base, into: q)
    st_additive_scores(
      steps.count, lengths.count, q.columns, lengths.values, q.base, keys.value.base, v.weights.base,
      scores.base, scores.stride)
  }

  func backward(
    _ steps: Range<Int>, _ lengths: SourceLengths, queries: Matrix, scores: Matrix, into dQueries: Matrix
  ) {
    let (q, dq) = (
      projected.steps(steps, of: lengths.count), projectedGradients.steps(steps, of: lengths.count)
    )
    st_additive_scores_backward(
      steps.count, lengths.count, q.columns, lengths.values, q.base, keys.value.base, v.weights.base,
      scores.base, scores.stride, dq.base, keyGradients.base, vGradients.base)
    context.products.inputGradient(dq, weight.weights, into: dQueries, accumulate: true)
  }

  func finish(
    _ chunk: Chunk, _ source: Chunk, _ lengths: SourceLengths, queries: Matrix, scores: Matrix
  ) {
    let dq = projectedGradients.prefix(chunk.rows)
    context.gradients.addProduct(dq, queries.prefix(chunk.rows), steps: chunk.steps, to: weight.gradient)
    context.gradients.addColumnSums(dq, steps: chunk.steps, to: bias.gradient)
    context.gradients.addColumnSums(vGradients, steps: 1, to: v.gradient)
    sink?.add(keyGradients.prefix(source.rows))
  }
}
