import CKernels
import Chunks

/// What decoders need to know of the logits of the next token, for each lane.
package final class TokenScores {
  /// The most probable token of each lane. [B]
  package let largest: Buffer<Int32>
  /// log sum exp of each lane's logits: what they exceed log probabilities by. [B]
  package let normalizers: Buffer<Double>

  private let ones: Buffer<Float>

  /// For up to so many lanes.
  package init(lanes: Int) {
    largest = Buffer(count: lanes)
    normalizers = Buffer(count: lanes)
    ones = Buffer(count: lanes)
  }

  /// Measures logits [B, V].
  package func measure(_ logits: Matrix) {
    ones.elements.update(repeating: 1)
    st_largest_in_rows(logits.rows, logits.columns, logits.base, largest.base)
    // The loss of a token is what its logit lacks.
    st_softmax_cross_entropy(
      logits.rows, logits.columns, logits.base, largest.base, ones.base, false, normalizers.base)
    for lane in 0..<logits.rows { normalizers.base[lane] += Double(logits[lane][Int(largest.base[lane])]) }
  }
}
