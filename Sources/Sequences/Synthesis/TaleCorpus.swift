import FileSystem
import Random

/// A dataset of generated tales, each a stream, with the exact entropy floor of each split.
///
/// It is a function of seed and size alone: tale i is derived from the random numbers at place i.
package struct TaleCorpus: Sendable {
  /// The seed of all choices.
  package let seed: UInt64
  /// Tales are added until there are so many characters.
  package let characters: Int

  /// The size of the dataset that the program trains on where none is given.
  package static let defaultCharacters = 1_500_000

  /// A corpus of this seed and size.
  ///
  /// - Throws: `DataError` where it is so small that a split could be empty.
  package init(seed: UInt64 = 1, characters: Int = defaultCharacters) throws {
    guard characters >= 20_000 else {
      throw DataError(
        "\(Wording.counted(characters, "character")) can't make tales to train, validate and test on; take 20000 or more"
      )
    }
    self.seed = seed
    self.characters = characters
  }

  /// The tale of number `index`, and the sum of the negated log-probabilities of its choices, in nats.
  package func tale(_ index: Int) -> (text: String, nats: Double) {
    var random = RandomStream(
      RandomKey(seed: seed, purpose: .synthesis),
      at: (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0))
    let (text, logProbability) = Grammar.tales.derive(&random)
    return (text, -logProbability)
  }

  /// Makes the dataset `output`, whole or not at all: 90 % of the tales are for training, 5 % each for validation and
  /// test.
  ///
  /// - Parameter command: what the dataset says of its origin.
  /// - Throws: `HDF5Error` where `output` exists or cannot be written.
  package func run(output: String, command: String) throws {
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
        let tale = tale(nats.count)
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
