import CKernels

/// The embedding of tokens and its projection in one.
///
/// A chunk holds far fewer different tokens than positions when the vocabulary is small. The projection is linear, so
/// it is computed once for each token that occurs, embedding[token] weight_ih^T + bias, and looked up by the cells.
/// Backward, the gradients of the gates are summed by token first; the gradients of weight_ih and of the embedding are
/// then products over tokens rather than positions. Both are exactly the equations of a lookup followed by a linear
/// map, summed in another order. Each shard has a table of its own, so that its sums depend on nothing else.
final class TokenProjection: InputProjection {
  private let context: LayerContext
  private let weight: ParameterView
  private let embedding: ParameterView
  private let tableRows: Int
  private let index: Buffer<Int32>
  /// The row of each token of the vocabulary in the shard's table, or -1.
  private let rowOfToken: Buffer<Int32>
  /// The token of each row of each shard's table.
  private let tokens: Buffer<Int32>
  private let tableCounts: Buffer<Int>
  private let embedded: Matrix
  private let embeddedGradient: Matrix
  /// Forward, the projected tokens; backward, the gradients summed by token. [shards x tableRows, G H]
  private let table: Matrix
  private let floats: Buffer<Float>

  /// Embeds by the parameter `embedding` [V, E] and projects by `weight` [G H, E].
  init(_ context: LayerContext, weight: String, embedding: String) {
    let shape = context.shape
    self.context = context
    self.weight = context.memory.view(weight)
    self.embedding = context.memory.view(embedding)
    let (vocabulary, width) = (self.embedding.weights.rows, self.embedding.weights.columns)
    let outputs = self.weight.weights.rows
    tableRows = min(vocabulary, shape.steps * shape.lanesPerShard)
    index = Buffer(count: shape.rows)
    rowOfToken = Buffer(count: vocabulary)
    tokens = Buffer(count: shape.shards * tableRows)
    tableCounts = Buffer(count: shape.shards)
    let rows = shape.shards * tableRows
    floats = Buffer(rows: rows, columns: 2 * width + outputs)
    embedded = floats.matrix(rows: rows, columns: width)
    embeddedGradient = Matrix(floats.base + rows * width, rows: rows, columns: width)
    table = Matrix(floats.base + 2 * rows * width, rows: rows, columns: outputs)
  }

  func forward(_ chunk: TokenChunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput {
    for shard in 0..<context.shape.shards {
      listTokens(chunk, shard)
      let rows = tableRange(shard)
      let (embedded, projected) = (embedded.rows(rows), table.rows(rows))
      st_gather_rows(
        rows.count, embedded.columns, embedding.weights.base, tokens.base + rows.lowerBound,
        embedded.base)
      st_fill_rows(rows.count, projected.columns, bias, projected.base, projected.stride)
      context.products.forward(
        embedded, weight.weights, into: projected, accumulate: true, rows: .ofOneShard)
    }
    return ProjectedInput(table: table, index: index.base, lanes: chunk.lanes)
  }

  func backward(_ chunk: TokenChunk, gateGradients: Matrix) {
    for shard in 0..<context.shape.shards {
      let positions = context.shape.shardRows(shard)
      let rows = tableRange(shard)
      let (summed, gradient) = (table.rows(rows), embeddedGradient.rows(rows))
      summed.clear()
      // The index counts rows of the whole table.
      st_scatter_add_rows(
        summed.columns, positions.count, positions.lanes, positions.stride, gateGradients[positions.first],
        gateGradients.stride, index.base + positions.first, table.base)
      context.products.weightGradient(
        summed, embedded.rows(rows), rows: .all(rows.count), into: weight.gradients[shard])
      context.products.inputGradient(summed, weight.weights, into: gradient, rows: .ofOneShard)
      let count = tableCounts.base[shard]
      st_scatter_add_rows(
        gradient.columns, count, count, count, gradient.base, gradient.stride,
        tokens.base + rows.lowerBound, embedding.gradients[shard].base)
    }
  }

  /// The rows of a shard's table that are in use. Where the products need a fixed number, all: the gradients of the
  /// rest are zero.
  private func tableRange(_ shard: Int) -> Range<Int> {
    let count = context.products.needsFixedRows ? tableRows : tableCounts.base[shard]
    return shard * tableRows..<shard * tableRows + count
  }

  /// Lists the tokens of a shard in the order of their first occurrence, and the row of each position.
  private func listTokens(_ chunk: TokenChunk, _ shard: Int) {
    let positions = context.shape.shardRows(shard)
    let first = shard * tableRows
    rowOfToken.base.update(repeating: -1, count: rowOfToken.count)
    var end = first
    for r in 0..<positions.count {
      let position = positions.row(r)
      let token = Int(chunk.inputs[position])
      precondition(token >= 0 && token < rowOfToken.count, "a token outside the vocabulary")
      if rowOfToken.base[token] < 0 {
        rowOfToken.base[token] = Int32(end)
        tokens.base[end] = Int32(token)
        end += 1
      }
      index.base[position] = rowOfToken.base[token]
    }
    tableCounts.base[shard] = end - first
  }
}
