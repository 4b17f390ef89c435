import Chunks
import Glibc
import Random
import Settings

/// Random symbols with labels that need both sides: whether the symbol `distance` behind a position is above the one
/// `distance` before it.
///
/// Positions without both count nothing. A model that reads in one direction knows one of the two symbols, a; among K
/// symbols the other is above it with probability (K - 1 - a) / K (below it with a / K), from which its bounds
/// follow.
package struct Tagged: StreamTask {
  package static let name = "tagged"
  package static let abstract = "Symbols with labels that need what lies on both sides of them."
  package static let sizes: [Setting<Tagged>] = [
    .streams, Setting("length", \.length, .within(3, 1_000_000), "Symbols of a stream"),
    Setting("symbols", \.symbols, .within(2, 65_000), "Different symbols"),
    Setting("distance", \.distance, .within(1, 400_000), "How far the symbols lie that decide a label"),
  ]
  package static let loss = StatedLoss.crossEntropy
  package static let bounds = [
    StatedBound("one_direction_floor", "The floor for a model that reads from left to right"),
    StatedBound(
      "one_direction_accuracy",
      "The share of right labels that a model expects at best that reads from left to right"),
  ]

  package var streams = 10_000
  /// The symbols of a stream.
  package var length = 40
  /// K, the number of different symbols.
  package var symbols = 10
  /// How far the symbols lie that decide a label.
  package var distance = 2

  package init() {}

  package func check() throws {
    guard 2 * distance < length else {
      throw DataError(
        "no position of \(length) has a symbol \(distance) before it and \(distance) behind it; take a distance of at most "
          + "\((length - 1) / 2)")
    }
  }

  package var tracks: [TrackRole: TrackDescription] {
    get throws {
      [.input: try .symbols((0..<symbols).map { "\($0)" }), .target: try .symbols(["falls", "rises"])]
    }
  }

  package var trivial: Double? {
    let rising = Double(symbols - 1) / Double(2 * symbols)
    return -rising * log(rising) - (1 - rising) * log(1 - rising)
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let tokens = random.tokens(length, below: symbols)
      var labels = [Int32](repeating: 0, count: length)
      var weights = [Float](repeating: 0, count: length)
      var (nats, right) = (0.0, 0.0)
      for position in distance..<length - distance {
        let (before, behind) = (tokens[position - distance], tokens[position + distance])
        labels[position] = behind > before ? 1 : 0
        weights[position] = 1
        let rising = Double(symbols - 1 - Int(before)) / Double(symbols)
        nats -= log(behind > before ? rising : 1 - rising)
        right += max(rising, 1 - rising)
      }
      return SyntheticStream(
        input: .tokens(tokens), target: .tokens(labels), weights: weights, bounds: [nats, right])
    }
  }
}
