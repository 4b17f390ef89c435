import Random
import Settings

/// Tales of a stochastic grammar, each a stream, with the exact entropy floor of each split.
///
/// Tale i is derived from the random numbers at place i.
package struct TaleCorpus: SyntheticTask {
  package static let name = "grammar"
  package static let abstract = "Tales from a stochastic grammar, with the entropy of their text."
  package static let sizes: [Setting<TaleCorpus>] = [
    // With fewer a split could be empty.
    Setting(
      "characters", \.characters, .within(20_000, 1_000_000_000_000),
      "Tales are added until there are so many characters")
  ]

  /// Tales are added until there are so many characters.
  package var characters = 1_500_000

  package init() {}

  /// The tale of number `index`, and the sum of the negated log-probabilities of its choices, in nats.
  package static func tale(_ index: Int, seed: UInt64) -> (text: String, nats: Double) {
    var random = RandomStream(
      RandomKey(seed: seed, purpose: .synthesis),
      at: (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0))
    let (text, logProbability) = Grammar.tales.derive(&random)
    return (text, -logProbability)
  }

  /// 90 % of the tales are for training, 5 % each for validation and test.
  package func write(_ output: String, seed: UInt64, command: String) throws {
    let vocabulary = try Vocabulary(level: .char, spellings: Grammar.tales.characters.map { String($0) })
    // The grammar's characters are ASCII.
    var tokens = [Int32](repeating: 0, count: 128)
    for (token, character) in zip(Int32(0)..., Grammar.tales.characters) {
      tokens[Int(character.value)] = token
    }
    try DatasetWriter.create(output, vocabulary: vocabulary, origin: DatasetOrigin(command: command)) {
      writer in
      var nats: [Double] = []
      while writer.tokenCount < characters {
        let tale = Self.tale(nats.count, seed: seed)
        for character in tale.text.utf8 { try writer.append(tokens[Int(character)]) }
        writer.endStream()
        nats.append(tale.nats)
      }
      let offsets = writer.streamOffsets
      return try SplitPlan(fractions: [0.9, 0.05, 0.05], measure: .stream).splits(offsets: offsets).map {
        split in
        let tales = nats.indices.filter { split.range.contains(offsets[$0]) }
        let sum = tales.reduce(0) { $0 + nats[$1] }
        return DatasetWriter.Split(
          name: split.name, range: split.range, floor: sum / Double(split.range.count - tales.count))
      }
    }
  }
}
