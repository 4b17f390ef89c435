import Chunks
import Glibc
import Random
import Settings

/// A message scattered among blanks, to be said again without them (Jing et al. 2019; Gu & Dao 2023).
///
/// A stream is `length` positions, some of which, drawn anew for each stream, hold the symbols of the message and the
/// others blanks; and as many recall tokens as the message has symbols, at which the targets are the symbols in their
/// order. Only those positions count.
package struct SelectiveCopy: StreamTask {
  package static let name = "selective-copy"
  package static let abstract = "A message scattered among blanks, to be said again without them."
  package static let sizes: [Setting<SelectiveCopy>] = [
    .streams, Setting("length", \.length, .within(1, 1_000_000), "Positions before the recall"),
    Setting("symbols", \.symbols, .within(2, 65_000), "Different symbols"),
    Setting("message", \.message, .within(1, 100_000), "Symbols of a message, at most the length"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// T, the positions before the recall.
  package var length = 60
  /// K, the number of different symbols.
  package var symbols = 8
  /// The symbols of a message.
  package var message = 10

  package init() {}

  package func check() throws {
    guard message <= length else {
      throw DataError(
        "a message of \(message) has no room in \(length) positions; take a message of at most \(length)")
    }
  }

  package var tracks: [TrackRole: TrackDescription] { get throws { try .recall(of: symbols) } }
  package var trivial: Double? { log(Double(symbols)) }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let message = random.tokens(message, below: symbols)
      var tokens: [Int32] = .blanks(length)
      for (place, symbol) in zip(random.distinct(message.count, below: length).sorted(), message) {
        tokens[place] = symbol + RecallToken.count
      }
      return .recall(of: message, after: tokens)
    }
  }
}
