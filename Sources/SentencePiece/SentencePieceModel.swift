import CSentencePiece
import Glibc
import Preconditions

/// A model of SentencePiece, which cuts words into pieces: Kudo and Richardson, "SentencePiece: A simple and language
/// independent subword tokenizer and detokenizer for Neural Text Processing", 2018.
///
/// A word is what stands between spaces. Its first piece begins with U+2581, which is the space before it, so that pieces need
/// no spaces between them. Pieces of one byte spell characters that are in no other. It may be used from several threads.
package final class SentencePieceModel: Sendable {
  /// How pieces are chosen.
  package enum Choice: String, Sendable, CaseIterable {
    /// Those by which a unigram language model makes the text most probable.
    case unigram
    /// Those that come of merging the most frequent pair, again and again.
    case bpe
  }

  /// The model as SentencePiece writes it to files: a Protocol Buffer.
  package let serialized: [UInt8]
  /// How each piece is spelt.
  package let spellings: [String]
  /// The piece that stands for what is in no other. As there are pieces for all bytes, no text needs it.
  package let unknown: Int
  /// The piece that is only a space.
  package let space: Int32
  /// The piece of each byte.
  package let bytes: [Int32]
  /// What each piece adds to a text.
  private let texts: [[UInt8]]
  private let model: Loaded

  /// U+2581, by which pieces have a space.
  package static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]

  /// Loads a model.
  ///
  /// - Throws: `SentencePieceError` where it is damaged, or has no pieces for spaces and bytes.
  package init(serialized: [UInt8]) throws {
    var loaded: OpaquePointer?
    try serialized.withUnsafeBytes {
      try check(st_sentencepiece_load($0.assumingMemoryBound(to: CChar.self).baseAddress, $0.count, &loaded))
    }
    guard let loaded else { preconditionFailure("a model is loaded") }
    model = Loaded(loaded)
    self.serialized = serialized
    unknown = Int(st_sentencepiece_unknown(loaded))
    let spelt = (0..<st_sentencepiece_count(loaded)).map { piece in
      var size = 0
      let spelling = UnsafeRawPointer(st_sentencepiece_spelling(loaded, piece, &size))
      return Array(UnsafeRawBufferPointer(start: spelling, count: size))
    }
    spellings = spelt.map { String(decoding: $0, as: UTF8.self) }
    space = st_sentencepiece_piece(loaded, String(decoding: Self.spaceMark, as: UTF8.self))
    bytes = (0...UInt8.max).map { st_sentencepiece_piece(loaded, Self.spelling(of: $0)) }
    var texts = spelt.map(Self.spaced)
    guard texts.indices.contains(unknown), !(bytes + [space]).contains(Int32(unknown)) else {
      throw SentencePieceError(
        "the model has no pieces for spaces, for all bytes and for what is unknown; train it with byte_fallback"
      )
    }
    for (byte, piece) in zip(0...UInt8.max, bytes) { texts[Int(piece)] = [byte] }
    texts[unknown] = try Self.decode([Int32(unknown)], loaded)
    self.texts = texts
  }

  /// The number of pieces.
  package var count: Int { spellings.count }

  /// The pieces of a word, to which a space before it belongs.
  ///
  /// - Parameter word: UTF-8 without spaces.
  package func encode(_ word: [UInt8]) throws -> [Int32] {
    // U+2581 in a text would come out as a space.
    guard !word.isEmpty, !word.contains(Self.spaceMark) else { return [space] + word.map { bytes[Int($0)] } }
    var (pieces, count): (UnsafeMutablePointer<Int32>?, Int) = (nil, 0)
    try word.withUnsafeBytes {
      try check(
        st_sentencepiece_encode(
          model.pointer, $0.assumingMemoryBound(to: CChar.self).baseAddress, $0.count, &pieces, &count))
    }
    defer { free(pieces) }
    return Array(UnsafeBufferPointer(start: pieces, count: count))
  }

  /// What a piece adds to a text: the space of a word's first piece is part of it.
  package func text(of piece: Int32) -> [UInt8] { texts[Int(piece)] }

  /// Whether a piece begins with a space.
  package func hasSpace(_ piece: Int32) -> Bool {
    spellings[Int(piece)].utf8.starts(with: Self.spaceMark)
  }

  /// The text of pieces as SentencePiece itself puts it together, without the space before the first word.
  package func decode(_ pieces: [Int32]) throws -> [UInt8] { try Self.decode(pieces, model.pointer) }

  private static func decode(_ pieces: [Int32], _ model: OpaquePointer) throws -> [UInt8] {
    var (text, size): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
    try check(st_sentencepiece_decode(model, pieces, pieces.count, &text, &size))
    defer { free(text) }
    return Array(UnsafeRawBufferPointer(start: text, count: size))
  }

  private static func spelling(of byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x\(digits.count < 2 ? "0" : "")\(digits)>"
  }

  private static func spaced(_ spelling: [UInt8]) -> [UInt8] {
    var (text, rest) = ([UInt8](), spelling[...])
    while let first = rest.first {
      let isMark = rest.starts(with: spaceMark)
      text.append(isMark ? UInt8(ascii: " ") : first)
      rest = rest.dropFirst(isMark ? spaceMark.count : 1)
    }
    return text
  }
}

/// A model that the library has loaded, until nobody needs it.
private final class Loaded: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }

  deinit { st_sentencepiece_destroy(pointer) }
}

/// Every status of the library passes through here.
private func check(_ message: UnsafeMutablePointer<CChar>?) throws {
  guard let message else { return }
  defer { free(message) }
  throw SentencePieceError(String(cString: message))
}

// MARK: Training

extension SentencePieceModel {
  /// Trains a model on words and how often each occurs. The same words make the same model.
  ///
  /// - Parameter pieces: How many pieces there are to be, those of all bytes and the unknown one among them; there are fewer
  ///   where the words give no more.
  /// - Throws: `SentencePieceError` where there is no word, or are more characters than pieces (see `leastPieces`).
  package static func train(
    _ choice: Choice, pieces: Int, counting words: [[UInt8]: Int]
  ) throws -> SentencePieceModel {
    try train(choice == .unigram ? ST_PIECES_UNIGRAM : ST_PIECES_BPE, pieces: pieces, counting: words)
  }

  /// The fewest pieces of a model of these words: all bytes, the unknown one, and those of single characters, of all but the
  /// rarest.
  package static func leastPieces(counting words: [[UInt8]: Int]) throws -> Int {
    try train(ST_PIECES_CHARACTERS, pieces: mostPieces, counting: words).count
  }

  /// The bytes, the unknown piece and a space.
  package static let fewestPieces = 258
  /// From so many SentencePiece chooses those of a unigram model.
  package static let mostPieces = 1_000_000

  private static func train(
    _ choice: st_piece_choice, pieces: Int, counting words: [[UInt8]: Int]
  ) throws -> SentencePieceModel {
    var (text, ends, counts) = ([UInt8](), [Int](), [Int64]())
    for (word, count) in words.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      for part in trainable(word) {
        text += part
        ends.append(text.count)
        counts.append(Int64(count))
      }
    }
    var (serialized, size): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
    try text.withUnsafeBytes { text in
      try ends.withUnsafeBufferPointer { ends in
        try counts.withUnsafeBufferPointer { counts in
          var words = st_word_counts(
            text: text.assumingMemoryBound(to: CChar.self).baseAddress, ends: ends.baseAddress,
            counts: counts.baseAddress, count: ends.count)
          try check(st_sentencepiece_train(choice, Int32(pieces), &words, &serialized, &size))
        }
      }
    }
    defer { free(serialized) }
    return try SentencePieceModel(serialized: Array(UnsafeRawBufferPointer(start: serialized, count: size)))
  }

  /// What the trainer can take of a word: it is cut at tabs, which are in no piece but that of their byte, and where it is
  /// longer than the sentences that SentencePiece takes.
  private static func trainable(_ word: [UInt8]) -> [ArraySlice<UInt8>] {
    word.split(separator: UInt8(ascii: "\t")).flatMap { part in
      var (parts, rest) = ([ArraySlice<UInt8>](), part)
      while rest.count > longestSentence {
        // Not inside a character.
        let end = rest.indices.prefix(longestSentence).last { rest[$0] & 0xC0 != 0x80 } ?? rest.endIndex
        parts.append(rest[..<end])
        rest = rest[end...]
      }
      return parts + [rest]
    }
  }

  private static let longestSentence = 4096
}
