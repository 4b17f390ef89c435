import Chunks
import Random
import Settings

/// A synthetic task whose streams are drawn one by one, independently of each other.
package protocol StreamTask: SyntheticTask {
  /// The streams of all splits.
  var streams: Int { get set }
  /// The loss whose optimum is stated.
  static var loss: StatedLoss { get }
  /// What is stated of each split besides the optimum and the loss of the best constant prediction.
  static var bounds: [StatedBound] { get }
  /// What the tracks hold.
  var tracks: [TrackRole: TrackDescription] { get throws }
  /// What the sources of pairs hold; nil where streams are no pairs.
  var sourceTrack: TrackDescription? { get throws }
  /// Whether models read the input with the mean 0 and the variance 1 that its columns have in the training split.
  static var isNormalized: Bool { get }
  /// The loss of the best constant prediction, where it follows from the distribution; nil: it is measured on each
  /// split.
  var trivial: Double? { get }

  /// Draws what all streams share; returns what draws a stream.
  func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream
}

extension StreamTask {
  package static var bounds: [StatedBound] { [] }
  package static var isNormalized: Bool { false }
  package var sourceTrack: TrackDescription? { nil }
  package var trivial: Double? { nil }
}

extension Setting where Root: StreamTask {
  /// The number of streams.
  static var streams: Setting {
    Setting("streams", \Root.streams, .within(20, 10_000_000), "Streams of all splits")
  }
}

/// The loss in which optima are stated: what the objective for the task reports.
package enum StatedLoss: Sendable {
  /// Nats a target.
  case crossEntropy
  /// The mean over a target's columns of the squared difference.
  case squaredError
  /// Nats a target, summed over its columns, each with a mean and a variance.
  case gaussian
}

/// A stream of a synthetic task.
package struct SyntheticStream: Sendable {
  /// What the model reads.
  package var input: TrackValues
  /// What it should say of the same position; nil: the input at the next position.
  package var target: TrackValues?
  /// Of pairs, what the stream is said of.
  package var source: TrackValues?
  /// Of pairs, from which position of the source each position follows; -1 for none.
  package var alignment: [Int32]?
  /// How much each position counts; nil: all the same.
  package var weights: [Float]?
  /// The least loss that can be expected, the sum over the stream's targets; 0 where the targets follow from the inputs.
  package var floor: Double
  /// What each of the task's bounds sums to over the stream's targets.
  package var bounds: [Double]

  init(
    input: TrackValues, target: TrackValues? = nil, source: TrackValues? = nil, alignment: [Int32]? = nil,
    weights: [Float]? = nil,
    floor: Double = 0, bounds: [Double] = []
  ) {
    self.input = input
    self.target = target
    self.source = source
    self.alignment = alignment
    self.weights = weights
    self.floor = floor
    self.bounds = bounds
  }

  /// A pair whose target follows from its source; the tokens behind the target's `letters` are its begin and end.
  ///
  /// - Parameter alignment: From which position of the source each of the target's tokens follows, where that is known.
  static func pair(
    _ source: TrackValues, _ target: [Int32], letters: Int, alignment: [Int32]? = nil
  ) -> SyntheticStream {
    let ends = Vocabulary.Ends(begin: Int32(letters), end: Int32(letters + 1))
    return SyntheticStream(
      input: .tokens(ends.around(target)), source: source, alignment: alignment.map { [-1] + $0 + [-1] })
  }
}
