import Chunks
import Glibc
import Random
import Settings

/// Values to be recalled by their keys: multi-query associative recall (Arora et al. 2023); with one query,
/// associative recall (Ba et al. 2016).
///
/// A stream is `pairs` keys, all different, each followed by its value; `blanks` blanks; then `queries` of these keys, all
/// different, in any order. The target at a query is the key's value; only the queries count.
package struct Recall: StreamTask {
  package static let name = "recall"
  package static let abstract = "Pairs of keys and values, then keys whose values are asked for (MQAR)."
  package static let sizes: [Setting<Recall>] = [
    .streams, Setting("pairs", \.pairs, .within(1, 30_000), "Pairs of a key and its value in a stream"),
    Setting("blanks", \.blanks, .within(0, 1_000_000), "Blanks between the pairs and the keys asked for"),
    Setting("queries", \.queries, .within(1, 30_000), "Keys asked for, at most the pairs"),
    Setting("keys", \.keys, .within(1, 30_000), "Different keys, at least the pairs"),
    Setting("values", \.values, .within(2, 30_000), "Different values"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// The pairs of a key and its value in a stream.
  package var pairs = 8
  /// The blanks between the pairs and the queries.
  package var blanks = 0
  /// The keys asked for.
  package var queries = 4
  /// The number of different keys.
  package var keys = 16
  /// The number of different values.
  package var values = 16

  package init() {}

  package func check() throws {
    guard pairs <= keys, queries <= pairs else {
      throw DataError(
        "\(pairs) pairs with \(queries) queries and \(keys) keys: expected no more queries than pairs, and no more pairs than keys"
      )
    }
  }

  package var tracks: [TrackRole: TrackDescription] {
    get throws {
      let names = (0..<values).map { "value \($0)" }
      let read = (0..<keys).map { "key \($0)" } + names + (blanks > 0 ? ["blank"] : [])
      return [.input: try .symbols(read), .target: try .symbols(names)]
    }
  }

  package var trivial: Double? { log(Double(values)) }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let keys = random.distinct(pairs, below: keys).map { Int32($0) }
      let values = random.tokens(pairs, below: values)
      let queries = random.distinct(queries, below: pairs)
      let blank = Int32(self.keys + self.values)
      let shown =
        zip(keys, values).flatMap { [$0, Int32(self.keys) + $1] } + Array(repeating: blank, count: blanks)
      return SyntheticStream(
        input: .tokens(shown + queries.map { keys[$0] }),
        target: .tokens(shown.map { _ in 0 } + queries.map { values[$0] }),
        weights: shown.map { _ in 0 } + queries.map { _ in 1 })
    }
  }
}
