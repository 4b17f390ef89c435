import Chunks
import Random
import Settings

/// A task of pairs: the letters of a word, put in another order.
///
/// A word has from `shortest` to `longest` letters, all lengths equally likely, each letter any of the first `symbols` of
/// the alphabet. The target follows from the source.
package protocol Rearrangement: StreamTask {
  /// The least letters of a word.
  var shortest: Int { get set }
  /// The most letters of a word.
  var longest: Int { get set }
  /// The number of different letters.
  var symbols: Int { get set }

  /// The target for a source.
  static func rearranged(_ letters: [Int32]) -> [Int32]
  /// Which letter of the source each letter of a target is, where places alone decide.
  static func alignment(_ letters: Int) -> [Int32]?
}

extension Rearrangement {
  package static var sizes: [Setting<Self>] {
    [
      .streams, Setting("shortest", \.shortest, .within(1, 10_000), "Least letters of a word"),
      Setting("longest", \.longest, .within(1, 10_000), "Most letters of a word"),
      Setting("symbols", \.symbols, .within(2, 26), "Different letters"),
    ]
  }
  package static var loss: StatedLoss { .crossEntropy }

  package func check() throws {
    guard shortest <= longest else {
      throw DataError("shortest is \(shortest) and longest \(longest); expected no more than longest")
    }
  }

  private var vocabulary: Vocabulary {
    get throws {
      let letters = "abcdefghijklmnopqrstuvwxyz".prefix(symbols)
      return try Vocabulary(level: .char, spellings: letters.map { String($0) })
    }
  }

  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: .tokens(try vocabulary.withEnds())] }
  }
  package var sourceTrack: TrackDescription? { get throws { .tokens(try vocabulary) } }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    { random in
      let letters = random.tokens(shortest + random.below(longest - shortest + 1), below: symbols)
      return .pair(
        .tokens(letters), Self.rearranged(letters), letters: symbols, alignment: Self.alignment(letters.count)
      )
    }
  }
}
