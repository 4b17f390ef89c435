import SentencePiece
import Testing

@Suite struct SentencePieceModelTests {
  /// Words of a little language: every stem with every ending, the first ones more often.
  private static let words: [[UInt8]: Int] = {
    var words: [[UInt8]: Int] = [:]
    for (rank, stem) in ["walk", "talk", "play", "größ", "schön", "läuf"].enumerated() {
      for (number, ending) in ["", "ed", "ing", "s", "er", "erin"].enumerated() {
        words[Array("\(stem)\(ending)".utf8)] = 100 / (rank + number + 1)
      }
    }
    return words
  }()

  private func model(
    _ choice: SentencePieceModel.Choice = .unigram, pieces: Int = 290
  ) throws -> SentencePieceModel {
    try .train(choice, pieces: pieces, counting: Self.words)
  }

  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `the same words make the same model, of as many pieces as are wanted`(
    _ choice: SentencePieceModel.Choice
  ) throws {
    let model = try model(choice)
    #expect(model.count == 290)
    #expect(Set(model.spellings).count == 290)
    #expect(try self.model(choice).serialized == model.serialized)
  }

  @Test func `the two choices cut differently`() throws {
    #expect(try model(.unigram).spellings != model(.bpe).spellings)
  }

  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `words come out as they were, whatever is in them`(_ choice: SentencePieceModel.Choice) throws {
    let model = try model(choice)
    for word in [
      "walking", "größerin", "", "日本語", "a\0b", "\t\tx", "x\u{2581}y", "\u{2581}", "\u{2585}", "<unk>",
      "<0x41>", "🙂",
      "e\u{301}", "\u{FEFF}", "\u{FFFD}", "\u{3000}", "\u{A0}",
    ] {
      let pieces = try model.encode(Array(word.utf8))
      #expect(!pieces.isEmpty)
      #expect(!pieces.contains(Int32(model.unknown)), "\(word)")
      let text = pieces.flatMap { model.text(of: $0) }
      #expect(text == Array(" \(word)".utf8), "\(word)")
      #expect(model.hasSpace(pieces[0]))
      #expect(try model.decode(pieces) == Array(word.utf8), "\(word)")
    }
  }

  /// One word of so many characters that the space before it is rarer than what models leave out.
  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `a text without spaces has a piece for them`(_ choice: SentencePieceModel.Choice) throws {
    let word = (0..<40_000).map { UInt8(ascii: "a") + UInt8($0 * $0 % 7 % 4) }
    let model = try SentencePieceModel.train(choice, pieces: 280, counting: [word: 1])
    #expect(model.spellings[Int(model.space)] == "\u{2581}")
    #expect(try model.decode(model.encode(word)) == word)
  }

  @Test func `a frequent word is one piece`() throws {
    let model = try model()
    let pieces = try model.encode(Array("walk".utf8))
    #expect(pieces.map { model.spellings[Int($0)] } == ["\u{2581}walk"])
  }

  @Test func `a model that was written is the same when it is read`() throws {
    let model = try model()
    let read = try SentencePieceModel(serialized: model.serialized)
    #expect(read.spellings == model.spellings)
    #expect(read.unknown == model.unknown && read.space == model.space && read.bytes == model.bytes)
    #expect(try read.encode(Array("playerin".utf8)) == model.encode(Array("playerin".utf8)))
  }

  @Test func `what is no model is refused`() throws {
    let bytes = try model().serialized
    for damaged in [[], Array(bytes[..<(bytes.count / 2)]), Array("this is no model".utf8)] {
      let error = #expect(throws: SentencePieceError.self) { try SentencePieceModel(serialized: damaged) }
      #expect("\(error as Any)".contains("SentencePiece"))
    }
  }

  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `the fewest pieces will do, and one less is refused`(_ choice: SentencePieceModel.Choice) throws {
    let least = try SentencePieceModel.leastPieces(counting: Self.words)
    // The unknown piece, the bytes, and the letters with the space.
    let letters = Set(Self.words.keys.flatMap { Array(String(decoding: $0, as: UTF8.self).unicodeScalars) })
    #expect(least == 257 + letters.count + 1)
    #expect(try model(choice, pieces: least).count == least)
    #expect(throws: SentencePieceError.self) { try model(choice, pieces: least - 1) }
  }

  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `of few words there are fewer pieces, and as many as there are can be had`(
    _ choice: SentencePieceModel.Choice
  ) throws {
    let most = try model(choice, pieces: 5000)
    #expect(most.count < 5000)
    #expect(try model(choice, pieces: most.count).spellings == most.spellings)
  }

  @Test func `long words and tabs are no trouble to the trainer`() throws {
    var words = Self.words
    words[Array(repeating: UInt8(ascii: "z"), count: 200_000)] = 3
    words[Array(String(repeating: "日本", count: 50_000).utf8)] = 2
    words[Array("\t\twalk\ttalk".utf8)] = 5
    for choice in SentencePieceModel.Choice.allCases {
      let model = try SentencePieceModel.train(choice, pieces: 290, counting: words)
      #expect(model.count == 290)
      #expect(model.spellings.contains("日") || model.spellings.contains { $0.hasSuffix("日本") })
    }
  }
}
