import Chunks
import FileSystem
import HDF5
import Preconditions
import SentencePiece

/// What a token of text is.
package enum TokenLevel: String, Sendable, CaseIterable {
  /// A Unicode scalar value, as Python counts characters.
  case char
  /// A byte of the file.
  case byte
  /// A word, a punctuation mark or a line's end: see `WordTokenizer`.
  case word
  /// A piece of a word, of those that a model of SentencePiece has chosen: see `SubwordCutter`.
  case subword
  /// A label, or a symbol of any other kind that text is not cut into.
  case label

  /// What text is cut into.
  package static let ofText: [TokenLevel] = [.char, .byte, .word, .subword]
}

/// The tokens of a text: token i is spelt `spellings[i]`.
package struct Vocabulary: Sendable {
  /// What a token is.
  package let level: TokenLevel
  /// How the tokens are spelt, in ascending order of their UTF-8, behind the unknown token where there is one.
  /// Bytes are spelt as two hexadecimal digits.
  package let spellings: [String]
  /// The token that stands for every word that has none of its own.
  package let unknown: Int?
  /// The tokens that stand before and behind each target of pairs; nil where there are none.
  package let ends: Ends?
  /// The model that cuts words into subwords, which are its pieces; nil at other levels.
  let subwords: SentencePieceModel?
  private let numbers: [[UInt8]: Int32]

  /// Two tokens that no text has: what stands before a stream, and behind it. They add nothing to a text.
  package struct Ends: Sendable, Equatable {
    /// The first input of a decoder.
    package let begin: Int32
    /// What a decoder says where it is done.
    package let end: Int32

    /// These two tokens.
    package init(begin: Int32, end: Int32) { (self.begin, self.end) = (begin, end) }

    /// `tokens` between the two.
    func around(_ tokens: some Collection<Int32>) -> [Int32] { [begin] + tokens + [end] }
  }

  /// All 256 bytes.
  package static let bytes = Vocabulary(
    level: .byte, unchecked: (0...UInt8.max).map { [$0].hexadecimal }, unknown: nil, ends: nil, subwords: nil)

  /// The pieces of a model, as subwords.
  init(subwords model: SentencePieceModel) {
    self.init(
      level: .subword, unchecked: model.spellings, unknown: model.unknown, ends: nil, subwords: model)
  }

  /// A vocabulary of these spellings.
  ///
  /// - Throws: `DataError` where there is none, one is empty or there twice, a character is none, bytes are not all
  ///   256 in their order, or subwords not all pieces of their model in its order.
  package init(level: TokenLevel, spellings: [String], unknown: Int? = nil, ends: Ends? = nil) throws {
    precondition(level != .subword, "subwords have a model")
    try self.init(level: level, spellings: spellings, unknown: unknown, ends: ends, subwords: nil)
  }

  private init(
    level: TokenLevel, spellings: [String], unknown: Int?, ends: Ends?, subwords: SentencePieceModel?
  ) throws {
    guard !spellings.isEmpty else { throw DataError("the vocabulary is empty") }
    if let unknown, !spellings.indices.contains(unknown) {
      throw DataError("the unknown token is \(unknown), outside the vocabulary of \(spellings.count)")
    }
    if let ends {
      let found = [Int(ends.begin), Int(ends.end)]
      guard found.allSatisfy({ spellings.indices.contains($0) && $0 != unknown }), found[0] != found[1] else {
        throw DataError(
          "the begin token is \(ends.begin) and the end token \(ends.end), expected two different ones of the vocabulary of "
            + "\(spellings.count), neither the unknown token")
      }
    }
    self.init(level: level, unchecked: spellings, unknown: unknown, ends: ends, subwords: subwords)
    if let subwords, subwords.count != count - (ends == nil ? 0 : 2) || subwords.unknown != unknown {
      throw DataError(
        "the subwords are not those of their SentencePiece model, which has \(subwords.count), and the unknown one at "
          + "\(subwords.unknown)")
    }
    guard numbers.count == spellings.count else { throw DataError("the vocabulary has the same token twice") }
    for (index, spelling) in spellings.enumerated() {
      let isSound =
        switch level {
        case _ where isEnd(Int32(index)): !spelling.isEmpty
        case .char: spelling.unicodeScalars.count == 1
        case .byte:
          spellings.count == (ends == nil ? 256 : 258) && index < 256
            && spelling == [UInt8(index)].hexadecimal
        case .word, .label: !spelling.isEmpty
        case .subword:
          subwords.map {
            index < $0.count && spelling.utf8.elementsEqual($0.spellings[index].utf8)
          } ?? false
        }
      guard isSound else {
        throw DataError("token \(index) (\(spelling.debugDescription)) is not a \(level.rawValue)")
      }
    }
  }

  private init(
    level: TokenLevel, unchecked spellings: [String], unknown: Int?, ends: Ends?,
    subwords: SentencePieceModel?
  ) {
    self.level = level
    self.spellings = spellings
    self.unknown = unknown
    self.ends = ends
    self.subwords = subwords
    // By their bytes: strings compare equal that Unicode holds to be equivalent, but are different tokens.
    numbers = Dictionary(
      zip(spellings.lazy.map { Array($0.utf8) }, Int32(0)...), uniquingKeysWith: { first, _ in first })
  }

  /// The number of tokens.
  package var count: Int { spellings.count }

  /// Whether a token is one of the two that no text has.
  func isEnd(_ token: Int32) -> Bool { token == ends?.begin || token == ends?.end }

  /// The same tokens, and behind them two that stand before and behind streams.
  func withEnds() throws -> Vocabulary {
    try Vocabulary(
      level: level, spellings: spellings + ["<begin>", "<end>"], unknown: unknown,
      ends: Ends(begin: Int32(count), end: Int32(count + 1)), subwords: subwords)
  }

  /// The token that is spelt by these bytes, or the unknown one.
  func token(spelt bytes: [UInt8]) -> Int32? {
    if let token = numbers[bytes], !isEnd(token) { return token }
    return unknown.map { Int32($0) }
  }

  /// The tokens of `text`.
  ///
  /// - Throws: `DataError` that names the first character or word that the vocabulary does not have, and its place.
  package func encode(_ text: String) throws -> [Int32] {
    try encode(from: nil) { feed in
      if level == .byte {
        for byte in text.utf8 { try feed(UInt32(byte)) }
      } else {
        for scalar in text.unicodeScalars { try feed(scalar.value) }
      }
    }
  }

  /// The tokens of the text in `source`.
  ///
  /// - Throws: As for a text that is given, and `DataError` where the source cannot be read or is no UTF-8.
  package func encode(_ source: TextSource) throws -> [Int32] {
    let reader = try TextReader([source], level: level)
    return try encode(from: source.name) { feed in
      try reader.read(source) { for unit in $0 { try feed(unit) } }
    }
  }

  /// The tokens of the units that `read` gives to what it is given.
  private func encode(
    from path: String?, _ read: (_ feed: (UInt32) throws -> Void) throws -> Void
  ) throws -> [Int32] {
    var encoder = TokenEncoder(self)
    var tokens: [Int32] = []
    do {
      try read { try encoder.feed($0) { tokens.append($0) } }
      try encoder.finish { tokens.append($0) }
    } catch let unknown as TokenEncoder.UnknownToken {
      let known = level == .char && count <= 128 ? ", which are \(spellings.joined().debugDescription)" : ""
      throw DataError(
        "\(unknown.shown), token \(tokens.count) of the text, is not in the vocabulary of "
          + "\(Wording.counted(count, "\(level)"))\(known)", path: path)
    }
    return tokens
  }

  /// The text of `tokens`; bytes that are no UTF-8 become U+FFFD, tokens are put together as `TokenSpeller` says.
  package func decode(_ tokens: some Sequence<Int32>) -> String {
    var speller = TokenSpeller(self)
    return String(decoding: tokens.flatMap { speller.spell($0) }, as: UTF8.self)
  }
}

extension Vocabulary: Equatable {
  /// Whether all tokens are the same, byte by byte.
  package static func == (a: Vocabulary, b: Vocabulary) -> Bool {
    a.level == b.level && a.unknown == b.unknown && a.ends == b.ends && a.numbers == b.numbers
      && a.subwords?.serialized == b.subwords?.serialized
  }
}

extension Vocabulary {
  /// Writes the vocabulary to a new dataset `path` of strings with attributes that explain it.
  package func write(to group: Group, path: String = "vocabulary") throws {
    // Strings are padded with U+0000, so that character is written as nothing at all.
    let dataset = try group.write(path, strings: spellings.map { $0 == "\0" ? "" : $0 })
    let spelling =
      switch level {
      case .char: "one Unicode scalar value each; an empty string is U+0000"
      case .byte: "the byte in hexadecimal"
      case .word: "words, punctuation marks and line ends, to be put together with spaces between words"
      case .label: "the names of labels"
      case .subword:
        "pieces of words, as the model in \(Self.modelName) beside it cuts them: U+2581 is a space, which the first piece of a "
          + "line does without; <0x00> to <0xFF> are bytes, of which <0x0A> ends a line"
      }
    try dataset.attributes.describe("How token i is spelt: \(spelling)")
    try dataset.attributes.set(DatasetFormat.level, level.rawValue)
    if let unknown { try dataset.attributes.set("unknown", unknown) }
    if let ends {
      try dataset.attributes.set("begin", Int(ends.begin))
      try dataset.attributes.set("end", Int(ends.end))
    }
    guard let subwords else { return }
    try group.write(Self.modelName, subwords.serialized).attributes.describe(
      "The model that cuts text into the subwords of the vocabulary, line by line: the bytes of SentencePiece's model file, "
        + "from which SentencePieceProcessor(model_proto=...) of its Python package reads it")
  }

  /// What the model of subwords is called, beside their vocabulary.
  private static let modelName = "sentencepiece"

  /// Reads a vocabulary that `write` wrote.
  ///
  /// - Throws: `HDF5Error` or `DataError` where it is missing, of another kind, or unsound (see `init`).
  package init(from group: Group, path: String = "vocabulary") throws {
    let dataset = try group.dataset(path)
    let name = try dataset.attributes.string(DatasetFormat.level)
    guard let level = TokenLevel(rawValue: name) else {
      let known = TokenLevel.allCases.map(\.rawValue).joined(separator: ", ")
      throw DataError(
        "the vocabulary's level is \(name.debugDescription); known are \(known)", path: group.filePath)
    }
    func token(_ name: String) throws -> Int? {
      try dataset.attributes.contains(name) ? dataset.attributes.integer(name) : nil
    }
    let (unknown, begin, end) = try (token("unknown"), token("begin"), token("end"))
    guard (begin == nil) == (end == nil) else {
      throw DataError(
        "\(dataset.name) has one of the attributes begin and end; give it both, or neither",
        path: group.filePath)
    }
    let spellings = try dataset.readStrings()
    do {
      try self.init(
        level: level, spellings: spellings.map { $0.isEmpty ? "\0" : $0 },
        unknown: unknown,
        ends: begin.flatMap { begin in
          end.map { Ends(begin: Int32(clamping: begin), end: Int32(clamping: $0)) }
        },
        subwords: level == .subword ? Self.readModel(from: group) : nil)
    } catch let error as DataError { throw DataError("\(error)", path: group.filePath) }
  }

  private static func readModel(from group: Group) throws -> SentencePieceModel {
    let dataset = try group.dataset(modelName)
    try dataset.require(rank: 1)
    let serialized = try dataset.readArray(of: UInt8.self)
    do { return try SentencePieceModel(serialized: serialized) } catch {
      throw DataError("\(dataset.name) is no model of subwords, or damaged: \(error)")
    }
  }
}
