import CKernels
import Chunks
import Preconditions

/// The cross entropy of a softmax over the tokens of the target: -log softmax(o)[target], in nats. Records the most
/// probable token of each position, and whether it was the target.
final class CrossEntropy: Objective {
  let outputs: Int

  private let predictions: Buffer<Int32>
  private let correct: Buffer<UInt8>

  /// - Parameter count: V, the tokens to choose from.
  init(_ builder: Builder, count: Int) {
    outputs = count
    predictions = Buffer(count: builder.shape.rows)
    correct = Buffer(count: builder.shape.rows)
  }

  var records: [Record] {
    [
      Record(
        name: "correct", description: "whether the model held the target to be the most probable token",
        unit: "target", use: .summed, columns: 1, values: .counts(correct.base)),
      Record(
        name: "prediction", description: "the most probable token by the model: its number in the vocabulary",
        unit: "token", use: .kept, columns: 1, values: .integers(predictions.base)),
    ]
  }

  /// Targets without weight are not looked at.
  func check(_ chunk: Chunk) {
    let targets = chunk.tokens(.target)
    for position in 0..<chunk.rows where chunk.weights[position] != 0 {
      precondition(targets[position] >= 0 && targets[position] < outputs, "a target outside the vocabulary")
    }
  }

  func compute(
    _ logits: Matrix, rows: Range<Int>, of chunk: Chunk, losses: UnsafeMutablePointer<Double>, gradient: Bool
  ) {
    let targets = chunk.tokens(.target)
    st_softmax_cross_entropy(
      logits.rows, logits.columns, logits.base, targets + rows.lowerBound, chunk.weights + rows.lowerBound,
      gradient, losses + rows.lowerBound)
    guard !gradient else { return }
    st_largest_in_rows(logits.rows, logits.columns, logits.base, predictions.base + rows.lowerBound)
    for position in rows {
      let isCorrect = predictions.base[position] == targets[position] && chunk.weights[position] > 0
      correct.base[position] = isCorrect ? 1 : 0
    }
  }
}
