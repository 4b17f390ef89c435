import Chunks
import Random
import Settings

/// The sum of two marked numbers among many (Hochreiter & Schmidhuber 1997, in the form of Le et al. 2015).
///
/// A frame is a number, uniform in [0, 1), and a mark. One mark lies in the first half of a stream, one in the
/// second; the target at the last position is the sum of both numbers. Only that position counts.
package struct Adding: StreamTask {
  package static let name = "adding"
  package static let abstract = "The sum of the two marked numbers of a stream, asked for at its end."
  package static let sizes: [Setting<Adding>] = [
    .streams, Setting("length", \.length, .within(2, 1_000_000), "Positions of a stream"),
  ]
  package static let loss = StatedLoss.squaredError

  package var streams = 20_000
  /// T, the positions of a stream.
  package var length = 200

  package init() {}

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: try .frames("number", "mark"), .target: try .frames("sum")] }
  }

  /// The variance of the sum of two uniform numbers.
  package var trivial: Double? { 1.0 / 6 }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let marked = [random.below(length / 2), length / 2 + random.below(length - length / 2)]
      var frames: [Float] = []
      frames.reserveCapacity(2 * length)
      for position in 0..<length {
        frames.append(Float(random.uniform()))
        frames.append(marked.contains(position) ? 1 : 0)
      }
      let sum = marked.reduce(0) { $0 + frames[2 * $1] }
      return SyntheticStream(
        input: .frames(frames), target: .frames(.last(sum, of: length)), weights: .last(1, of: length))
    }
  }
}
