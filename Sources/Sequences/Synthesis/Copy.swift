import Chunks
import Glibc
import Random
import Settings

/// A message, to be said again after a delay (Hochreiter & Schmidhuber 1997, in the form of Arjovsky et al. 2016).
///
/// A stream is the message, `delay` blanks, and as many recall tokens as the message has symbols. The targets at the
/// recall tokens are the symbols, in their order; only those positions count.
package struct Copy: StreamTask {
  package static let name = "copy"
  package static let abstract = "A message, to be said again after a delay."
  package static let sizes: [Setting<Copy>] = [
    .streams, Setting("delay", \.delay, .within(0, 1_000_000), "Blanks between the message and its recall"),
    Setting("symbols", \.symbols, .within(2, 65_000), "Different symbols"),
    Setting("message", \.message, .within(1, 100_000), "Symbols of a message"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// T, the blanks between the message and its recall.
  package var delay = 50
  /// K, the number of different symbols.
  package var symbols = 8
  /// The symbols of a message.
  package var message = 10

  package init() {}

  package var tracks: [TrackRole: TrackDescription] { get throws { try .recall(of: symbols) } }
  package var trivial: Double? { log(Double(symbols)) }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let message = random.tokens(message, below: symbols)
      return .recall(of: message, after: message.map { $0 + RecallToken.count } + .blanks(delay))
    }
  }
}

/// The tokens beside the symbols of tasks that have a message recalled.
enum RecallToken {
  static let blank: Int32 = 0
  static let recall: Int32 = 1
  static let count: Int32 = 2
}

extension [TrackRole: TrackDescription] {
  /// The tracks of a task that has a message of such symbols recalled.
  static func recall(of symbols: Int) throws -> Self {
    let names = (0..<symbols).map { "\($0)" }
    return [.input: try .symbols(["blank", "recall"] + names), .target: try .symbols(names)]
  }
}

extension [Int32] {
  /// As many blanks.
  static func blanks(_ count: Int) -> Self { Array(repeating: RecallToken.blank, count: count) }
}

extension SyntheticStream {
  /// These tokens, then the recall of a message.
  static func recall(of message: [Int32], after tokens: [Int32]) -> SyntheticStream {
    SyntheticStream(
      input: .tokens(tokens + message.map { _ in RecallToken.recall }),
      target: .tokens(Array(repeating: 0, count: tokens.count) + message),
      weights: Array(repeating: 0, count: tokens.count) + message.map { _ in 1 })
  }
}
