import CKernels
import Chunks
import Preconditions

/// The embedding of a chunk's tokens, as `torch.nn.Embedding`: row x of the parameter for token x.
final class Embedding: Module {
  /// [T B, E]
  let output: Signal

  private let context: ModuleContext
  private let weight: ParameterView

  /// Looks up rows of `weight` [V, E], which has just been declared.
  init(_ builder: Builder, name: String, weight: ParameterView) {
    context = builder.context
    self.weight = weight
    output = builder.signal(name, columns: weight.weights.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    let tokens = chunk.tokens(.input)
    for row in 0..<chunk.rows {
      precondition(tokens[row] >= 0 && tokens[row] < weight.weights.rows, "a token outside the vocabulary")
    }
    st_gather_rows(chunk.rows, weight.weights.columns, weight.weights.base, tokens, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    let (gradient, tokens) = (output.gradient, chunk.tokens(.input))
    context.gradients.add(to: weight.gradient) { shard, block, sum in
      let positions = context.shape.shardRows(shard, steps: chunk.steps)
      for r in 0..<positions.count {
        let position = positions.row(r)
        let token = Int(tokens[position])
        guard block.rows.contains(token) else { continue }
        let to = sum[token - block.rows.lowerBound]
        st_add(sum.columns, to, gradient[position] + block.columns.lowerBound, to)
      }
    }
  }
}
