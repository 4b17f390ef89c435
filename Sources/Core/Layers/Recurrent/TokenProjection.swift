import CKernels
import Chunks
import Preconditions

/// The embedding of tokens and its projection in one.
///
/// A chunk holds far fewer different tokens than positions when the vocabulary is small. The projection is linear, so
/// it is computed once for each token that occurs, embedding[token] weight_ih^T + bias, and looked up by the cells.
/// Backward, the gradients of the gates are summed by token first; the gradients of weight_ih and of the embedding are
/// then products over tokens rather than positions. Both are exactly the equations of a lookup followed by a linear
/// map, summed in another order. Each shard has a table of its own, so that its sums depend on nothing else.
final class TokenProjection: InputProjection {
  private let context: ModuleContext
  private let weight: ParameterView
  private let embedding: ParameterView
  private let tableRows: Int
  private let index: Buffer<Int32>
  /// One more than the row of each token in the table, of the shard whose tokens are listed; otherwise 0.
  private let rowOfToken: Buffer<Int32>
  /// The token of each row of the table.
  private let tokens: Buffer<Int32>
  /// Where each shard's rows of the table begin, and where the last one's end; those in use, which are fewer where
  /// products need a fixed number.
  private let starts: Buffer<Int>
  private let counts: Buffer<Int>
  private let embedded: Matrix
  private let embeddedGradient: Matrix
  /// Forward, the projected tokens; backward, the gradients summed by token, shard after shard. [shards x tableRows, G H]
  private let table: Matrix

  /// Embeds by `embedding` [V, E], and projects by `weight` [G H, E].
  init(_ builder: Builder, weight: ParameterView, embedding: ParameterView) {
    let shape = builder.shape
    context = builder.context
    self.weight = weight
    self.embedding = embedding
    let (vocabulary, width) = (embedding.weights.rows, embedding.weights.columns)
    let outputs = weight.weights.rows
    tableRows = min(vocabulary, shape.rowsPerShard)
    context.products.reserve(rows: tableRows, outputs: outputs, inputs: width)
    index = Buffer(count: shape.rows)
    rowOfToken = Buffer(count: vocabulary)
    tokens = Buffer(count: shape.shards * tableRows)
    starts = Buffer(count: shape.shards + 1)
    counts = Buffer(count: shape.shards)
    let rows = shape.shards * tableRows
    embedded = builder.floats(rows, width)
    embeddedGradient = builder.floats(rows, width)
    table = builder.floats(rows, outputs)
  }

  func forward(_ chunk: Chunk, bias: UnsafePointer<Float>, gates: Matrix) -> ProjectedInput {
    for shard in 0..<context.shape.shards { listTokens(chunk, shard) }
    let (embedded, projected) = (embedded.rows(rowsInUse), table.rows(rowsInUse))
    st_gather_rows(embedded.rows, embedded.columns, embedding.weights.base, tokens.base, embedded.base)
    context.affine(embedded, weight.weights, bias, into: projected, rows: .byShard)
    return ProjectedInput(table: table, index: index.base, lanes: chunk.lanes)
  }

  func backward(_ chunk: Chunk, gateGradients: Matrix) {
    let (summed, gradient) = (table.rows(rowsInUse), embeddedGradient.rows(rowsInUse))
    summed.clear()
    for shard in 0..<context.shape.shards {
      let positions = context.shape.shardRows(shard, steps: chunk.steps)
      st_scatter_add_rows(
        summed.columns, positions.count, positions.lanes, positions.stride, gateGradients[positions.first],
        gateGradients.stride, index.base + positions.first, summed.base)
    }
    context.gradients.addProduct(summed, embedded, to: weight.gradient) { .together(tableRange($0)) }
    context.products.inputGradient(summed, weight.weights, into: gradient, rows: .byShard)
    context.gradients.add(to: embedding.gradient) { shard, block, sum in
      let first = starts.base[shard]
      for row in first..<first + counts.base[shard] {
        let token = Int(tokens.base[row])
        guard block.rows.contains(token) else { continue }
        let to = sum[token - block.rows.lowerBound]
        st_add(sum.columns, to, gradient[row] + block.columns.lowerBound, to)
      }
    }
  }

  /// The rows of the tables of all shards.
  private var rowsInUse: Range<Int> { 0..<starts.base[context.shape.shards] }

  /// The rows of a shard's table. Where the products need a fixed number, the gradients of those not in use are zero.
  private func tableRange(_ shard: Int) -> Range<Int> { starts.base[shard]..<starts.base[shard + 1] }

  /// Lists the tokens of a shard in the order of their first occurrence, and the row of each position.
  private func listTokens(_ chunk: Chunk, _ shard: Int) {
    let positions = context.shape.shardRows(shard, steps: chunk.steps)
    let inputs = chunk.tokens(.input)
    let first = starts.base[shard]
    var end = first
    for r in 0..<positions.count {
      let position = positions.row(r)
      let token = Int(inputs[position])
      precondition(token >= 0 && token < rowOfToken.count, "a token outside the vocabulary")
      if rowOfToken.base[token] == 0 {
        tokens.base[end] = Int32(token)
        end += 1
        rowOfToken.base[token] = Int32(end)
      }
      index.base[position] = rowOfToken.base[token] - 1
    }
    for row in first..<end { rowOfToken.base[Int(tokens.base[row])] = 0 }
    counts.base[shard] = end - first
    starts.base[shard + 1] = context.products.needsFixedRows ? first + tableRows : end
  }
}
