import CKernels
import Chunks
import Preconditions
import Settings

/// How a query is compared with a position of the source.
package enum AttentionScoreKind: String, Sendable, CaseIterable, SettingValue {
  /// Not at all: what is read is the encoder's last state (Cho et al. 2014).
  case none
  /// q . h (Luong et al. 2015)
  case dot
  /// q . h / sqrt(H) (Vaswani et al. 2017)
  case scaled
  /// q . W h (Luong et al. 2015)
  case general
  /// v . tanh(W q + U h + b) (Bahdanau et al. 2015)
  case additive
  /// exp(log_beta) q . h / (|q| |h|) (Graves et al. 2014)
  case cosine
}

/// When a decoder attends.
package enum AttentionMoment: String, Sendable, CaseIterable, SettingValue {
  /// Before each step, which reads what it attends to (Bahdanau et al. 2015).
  case before
  /// After it (Luong et al. 2015).
  case after
}

/// The settings of how a decoder reads the source of pairs.
package struct SourceAttentionOptions: Sendable, Equatable {
  /// How queries are compared with positions.
  package var score = AttentionScoreKind.dot
  /// When the decoder attends.
  package var attend = AttentionMoment.after

  package init() {}

  package static let settings: [Setting<SourceAttentionOptions>] = [
    Setting(
      "score", \.score,
      "Of pairs: how the decoder's state is compared with positions of the source; none: it is given the encoder's last state"
    ),
    Setting("attend", \.attend, "Of pairs: whether the decoder attends before or after its step"),
  ]
}

/// Attention of a decoder over the source:
///
///     a_s = softmax over s of score(q, h_s)     context = sum over s of a_s h_s
///
/// over the positions of the lane's source. Backward, from the gradient dc of the context:
///
///     da_s = dc . h_s     de_s = a_s (da_s - sum over r of a_r da_r)     dh_s += a_s dc, and what the score passes on of de
///
/// The parameters of scores are called `attention.NAME`.
final class SourceAttention: SourceReader {
  let context: Signal

  private let memory: Signal
  private let sink: Sink?
  private let score: any AttentionScore
  private let lengths: SourceLengths
  /// a, and what the softmax's gradients become. [T B, S]
  private let weights: Matrix
  private let gradients: Matrix

  init(_ builder: Builder, reading source: EncodedSource, queries: Int) {
    memory = source.memory
    sink = builder.read(memory)
    // The decoder may be what asks, but the parameters are nobody's part.
    score = builder.outside { () -> any AttentionScore in
      source.options.score == .additive
        ? AdditiveScore(builder, keys: source.keys, queries: queries)
        : DotScore(builder, keys: source.keys, queries: queries, source.options.score)
    }
    lengths = SourceLengths(lanes: builder.shape.lanes)
    weights = builder.floats(builder.shape.rows, builder.shape.sourceSteps)
    gradients = builder.floats(builder.shape.rows, builder.shape.sourceSteps)
    context = builder.signal("context", columns: memory.value.columns)
    builder.show(self)
  }

  func enter(_ chunk: Chunk) {
    lengths.measure(TimeAxis.source.part(of: chunk))
    score.enter()
  }

  func forward(_ steps: Range<Int>, queries: Matrix) {
    let a = weights.steps(steps, of: lengths.count)
    score.forward(steps, lengths, queries: queries, into: a)
    st_source_softmax(steps.count, lengths.count, lengths.values, score.scale, a.base, a.stride)
    let c = context.value.steps(steps, of: lengths.count)
    st_source_sums(
      steps.count, lengths.count, c.columns, lengths.values, a.base, a.stride, memory.value.base, c.base,
      false)
  }

  func backward(_ steps: Range<Int>, queries: Matrix, into dQueries: Matrix) {
    let (a, da, dc) = (
      weights.steps(steps, of: lengths.count), gradients.steps(steps, of: lengths.count),
      context.gradient.steps(steps, of: lengths.count)
    )
    st_source_products(
      steps.count, lengths.count, dc.columns, lengths.values, dc.base, memory.value.base, da.base, da.stride)
    st_source_softmax_backward(
      steps.count, lengths.count, lengths.values, score.scale, a.base, da.base, a.stride)
    score.backward(steps, lengths, queries: queries, scores: da, into: dQueries)
  }

  func finish(_ chunk: Chunk, queries: Matrix) {
    let source = TimeAxis.source.part(of: chunk)
    // The keys may be the memory, of which the score is the later reader.
    score.finish(chunk, source, lengths, queries: queries, scores: gradients.prefix(chunk.rows))
    sink?.write(rows: source.rows) { sum in
      sum.clear()
      st_add_to_source(
        chunk.steps, lengths.count, sum.columns, lengths.values, weights.base, weights.stride,
        context.gradient.base, sum.base)
    }
  }
}

extension SourceAttention: SourceAttending {
  var headCount: Int { 1 }

  func addWeights(ofRow row: Int, to sums: inout [Float]) {
    for position in sums.indices { sums[position] += weights[row][position] }
  }
}
