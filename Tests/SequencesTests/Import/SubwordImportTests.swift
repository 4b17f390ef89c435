import HDF5
import SentencePiece
import Sequences
import TestSupport
import Testing

@Suite struct SubwordImportTests {
  /// Lines of words with many endings, so many that there is something to choose from.
  static func lines(_ count: Int, from first: Int = 0) -> [String] {
    let stems = ["walk", "talk", "play", "größ", "schön", "läuf", "stand", "bring"]
    let endings = ["", "ed", "ing", "s", "er", "erin", "est"]
    return (first..<first + count).map { line in
      (0...line % 5).map { "\(stems[(line + $0) % 8])\(endings[(line / 3 + $0 * $0) % 7])" }.joined(
        separator: " ")
    }
  }

  /// The text that lines make.
  static func text(_ count: Int, from first: Int = 0) -> String {
    lines(count, from: first).map { "\($0)\n" }.joined()
  }

  private func plan(_ choice: SentencePieceModel.Choice = .unigram, pieces: Int = 300) throws -> SubwordPlan {
    try SubwordPlan(choice, pieces: pieces)
  }

  /// Imports a text, half of which is for validation.
  private func importing(
    _ text: String, _ plan: SubwordPlan? = nil, streams: StreamKind = .whole,
    by measure: SplitPlan.Measure = .position,
    fractions: [Double] = [0.5, 0.5], _ body: (SequenceDataset, [Int32]) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      try writeBytes(text.utf8, to: "\(directory)/a")
      try TextImport(
        .fractions(["\(directory)/a"], SplitPlan(fractions: fractions, measure: measure)), level: .subword,
        streams: streams, subwords: plan ?? self.plan()
      ).run(output: "\(directory)/d.h5", command: "a test")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      try dataset.verify()
      try body(dataset, dataset.tokens(.input))
    }
  }

  /// The message of an import that is refused, and leaves nothing behind.
  private func refusal(_ bytes: [UInt8], _ plan: @autoclosure () throws -> SubwordPlan) throws -> String {
    try withTemporaryDirectory { directory in
      try writeBytes(bytes, to: "\(directory)/a")
      do {
        try TextImport(
          .fractions(["\(directory)/a"], SplitPlan(fractions: [0.5, 0.5])), level: .subword, streams: .whole,
          subwords: plan()
        ).run(output: "\(directory)/d.h5", command: "a test")
      } catch {
        #expect(try directoryEntries(directory) == ["a"])
        return "\(error)"
      }
      return "none"
    }
  }

  // MARK: Text

  private static let odd = """
     two  spaces,   three and one behind \n\n \n\ttabs\tin\tit\r\n日本語と U+2581 itself: \u{2581}x\u{2581} \u{2581}\u{2585}\n\
    <unk> <0x41> <begin> 🙂 e\u{301} \0 zero \u{FFFD}\u{3000}\u{A0}end, without a line feed
    """

  @Test(arguments: SentencePieceModel.Choice.allCases, StreamKind.allCases)
  func `a text comes out as it was, whatever is in it`(
    _ choice: SentencePieceModel.Choice, _ streams: StreamKind
  ) throws {
    let text = Self.text(60) + Self.odd + Self.text(60) + Self.odd
    try importing(text, plan(choice, pieces: 320), streams: streams) { dataset, tokens throws in
      let vocabulary = dataset.vocabulary
      #expect(vocabulary.level == .subword && vocabulary.count == 320)
      #expect(vocabulary.decode(tokens) == text)
      #expect(!tokens.contains(Int32(try #require(vocabulary.unknown))))
      // Fewer than characters: subwords are pieces of words.
      #expect(tokens.count < text.unicodeScalars.count * 2 / 3)
      let texts = zip(dataset.streams.offsets, dataset.streams.offsets.dropFirst()).map {
        vocabulary.decode(tokens[$0..<$1])
      }
      #expect(texts.joined() == text)
      if streams == .line {
        #expect(texts.count == text.unicodeScalars.count { $0 == "\n" } + 1)
      }
    }
  }

  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `the tokens of a line are those of SentencePiece for the whole of it`(
    _ choice: SentencePieceModel.Choice
  ) throws {
    try importing(Self.text(200), plan(choice)) { dataset, tokens throws in
      let vocabulary = dataset.vocabulary
      let file = try File.open(dataset.path)
      let model = try SentencePieceModel(serialized: file.dataset("sentencepiece").readArray())
      #expect(model.spellings == vocabulary.spellings)
      for line in Self.lines(200, from: 17) + [" a  line with  odd spaces ", "größte 日本 <x>"] {
        let whole = try model.encode(Array(line.utf8))
        #expect(try vocabulary.encode(line) == whole, "\(line)")
        #expect(try model.decode(whole) == Array(line.utf8))
        #expect(vocabulary.decode(whole) == line)
      }
      let stored = try tokens.split(separator: vocabulary.encode("\n")[0]).map { Array($0) }
      #expect(try stored == Self.lines(200).map { try model.encode(Array($0.utf8)) })
    }
  }

  @Test func `tokens are put together one by one as all at once`() throws {
    try importing(Self.text(60)) { dataset, tokens throws in
      var speller = TokenSpeller(dataset.vocabulary)
      #expect(tokens.flatMap { speller.spell($0) } == Array(Self.text(60).utf8))
    }
  }

  @Test(arguments: SentencePieceModel.Choice.allCases)
  func `the same import makes the same bytes`(_ choice: SentencePieceModel.Choice) throws {
    try withTemporaryDirectory { directory in
      try writeBytes((Self.text(80) + Self.odd).utf8, to: "\(directory)/a")
      let files = try (0..<2).map { number in
        try TextImport(
          .fractions(["\(directory)/a"], SplitPlan(fractions: [0.5, 0.5])), level: .subword, streams: .line,
          subwords: plan(choice)
        ).run(output: "\(directory)/\(number).h5", command: "a test")
        return try readBytes("\(directory)/\(number).h5")
      }
      #expect(files[0] == files[1])
    }
  }

  @Test(arguments: [SplitPlan.Measure.position, .stream])
  func `the model knows the training part alone`(_ measure: SplitPlan.Measure) throws {
    let (training, other) = (Self.text(60), String(repeating: "Полезно знать ещё чуть-чуть\n", count: 60))
    // In characters, and in lines.
    let part =
      measure == .stream
      ? 0.5 : Double(training.unicodeScalars.count) / Double((training + other).unicodeScalars.count)
    var alone: [String] = []
    try importing(training + training, streams: .line, by: measure) { dataset, _ in
      alone = dataset.vocabulary.spellings
    }
    try importing(training + other, streams: .line, by: measure, fractions: [part, 1 - part]) {
      dataset, tokens throws in
      #expect(dataset.vocabulary.spellings == alone)
      let ends = dataset.ends
      #expect(try dataset.vocabulary.decode(tokens[#require(ends["train"])]) == training)
      #expect(try dataset.vocabulary.decode(tokens[#require(ends["validation"])]) == other)
    }
  }

  @Test func `parts that are counted in characters end with words`() throws {
    let text = Self.text(100).replacing("\n", with: " ")
    for fraction in [0.31, 0.5, 0.633, 0.8] {
      try importing(text, fractions: [fraction, (1 - fraction) / 2, (1 - fraction) / 2]) {
        dataset, tokens throws in
        let parts = dataset.splits.map { dataset.vocabulary.decode(tokens[$0.streams.tokens]) }
        #expect(dataset.splits.map(\.name) == ["train", "validation", "test"])
        // The space before a word is the first piece's.
        #expect(parts.joined(separator: " ") == text)
        for (part, share) in zip(parts, [fraction, (1 - fraction) / 2]) {
          #expect(abs(Double(part.unicodeScalars.count) / Double(text.unicodeScalars.count) - share) < 0.02)
        }
      }
    }
  }

  @Test func `files for each part have the model of those for training`() throws {
    try withTemporaryDirectory { directory in
      try writeBytes(Self.text(60).utf8, to: "\(directory)/a")
      try writeBytes("Полезно знать\n".utf8, to: "\(directory)/b")
      try TextImport(
        .files([["\(directory)/a"], ["\(directory)/b"]]), level: .subword, streams: .line, subwords: plan()
      ).run(output: "\(directory)/d.h5", command: "a test")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      let tokens = try dataset.tokens(.input)
      #expect(dataset.vocabulary.decode(tokens) == Self.text(60) + "Полезно знать\n")
      #expect(!dataset.vocabulary.spellings.contains { $0.contains("П") })

      // Another text with the same vocabulary.
      try TextImport(
        .fractions(["\(directory)/b"], SplitPlan(fractions: [0.5, 0.5])), level: .subword, streams: .whole,
        vocabularySource: "\(directory)/d.h5"
      ).run(output: "\(directory)/e.h5", command: "a test")
      let other = try SequenceDataset("\(directory)/e.h5")
      #expect(other.vocabulary == dataset.vocabulary)
      #expect(try other.vocabulary.decode(other.tokens(.input)) == "Полезно знать\n")
    }
  }

  // MARK: Other importers

  private static func pairs(_ count: Int) -> String {
    zip(lines(count), lines(count, from: 5)).map { "\($0)\t\($1) Ende\n" }.joined()
  }

  private func halves(_ path: String) throws -> PartPlan {
    .fractions([path], try SplitPlan(fractions: [0.5, 0.5], measure: .stream))
  }

  @Test(arguments: [false, true]) func `sides of pairs have models of their own, or one`(_ isShared: Bool)
    throws
  {
    try imported(["a": Self.pairs(80)]) { path in
      try PairsImport(halves(path("a")), level: .subword, subwords: plan(pieces: 290), isShared: isShared)
    } _: { dataset, remarks throws in
      #expect(remarks.isEmpty)
      guard case .tokens(let read) = dataset.description.source,
        case .tokens(let said) = dataset.description.input
      else {
        Issue.record("no pairs of tokens")
        return
      }
      #expect(read.count == (isShared ? 292 : 290) && said.count == 292)
      #expect(said.ends == .init(begin: 290, end: 291) && (read == said) == isShared)
      let targets = try dataset.tokens(.input)
      for (stream, line) in Self.lines(80, from: 5).enumerated() {
        let target = targets[dataset.streams.offset(stream)..<dataset.streams.offset(stream + 1)]
        #expect(target.first == 290 && target.last == 291)
        #expect(said.decode(target) == "\(line) Ende")
      }
      let file = try File.open(dataset.path)
      let sources = try file.dataset("source/values").readArray(of: Int32.self)
      for (stream, line) in Self.lines(80).enumerated() {
        #expect(read.decode(sources[dataset.streams.source(of: stream)]) == line)
      }
      for group in ["source", "input"] {
        let attributes = try file.dataset("\(group)/sentencepiece").attributes
        #expect(try attributes.string("description").contains("SentencePieceProcessor(model_proto="))
      }
    }
  }

  @Test func `pairs are too long by their subwords, and left out of their part`() throws {
    var all: [Int] = []
    try imported(["a": Self.pairs(80)]) { path in
      try PairsImport(halves(path("a")), level: .subword, subwords: plan(pieces: 290))
    } _: { dataset, _ in
      all = (0..<80).map { stream in
        max(
          dataset.streams.source(of: stream).count,
          dataset.streams.offset(stream + 1) - dataset.streams.offset(stream) - 1)
      }
    }
    let longest = all.sorted()[40]
    let kept = (0..<80).filter { all[$0] <= longest }
    #expect(kept.count > 10 && kept.count < 70)
    try imported(["a": Self.pairs(80)]) { path in
      try PairsImport(halves(path("a")), level: .subword, subwords: plan(pieces: 290), longest: longest)
    } _: { dataset, remarks throws in
      #expect(
        remarks == ["\(80 - kept.count) pairs left out: \(80 - kept.count) longer than --longest \(longest)"])
      guard case .tokens(let said) = dataset.description.input else { return }
      let targets = try dataset.tokens(.input)
      let texts = (0..<dataset.streams.count).map {
        said.decode(targets[dataset.streams.offset($0)..<dataset.streams.offset($0 + 1)])
      }
      let lines = Self.lines(80, from: 5)
      #expect(texts == kept.map { "\(lines[$0]) Ende" })
      #expect(dataset.splits[0].streams.count == kept.count { $0 < 40 })
    }
    try expectRefusal(
      ["a": Self.pairs(80)], "there is no pair: 80 pairs left out: 80 longer than --longest 1"
    ) {
      path in
      try PairsImport(halves(path("a")), level: .subword, subwords: plan(pieces: 290), longest: 1)
    }
  }

  @Test func `texts with a label, and those said of frames, may be of subwords`() throws {
    let lines = Self.lines(60)
    let text = lines.enumerated().map { "\($0 % 2 == 0 ? "even" : "odd")\t\($1)\n" }.joined()
    try imported(["a": text]) { path in
      try ClassesImport(halves(path("a")), level: .subword, subwords: plan(pieces: 290))
    } _: { dataset, _ throws in
      let tokens = try dataset.tokens(.input)
      let weights = try dataset.positionWeights()
      guard case .tokens(let vocabulary) = dataset.description.input else { return }
      for stream in 0..<60 {
        let positions = dataset.streams.offset(stream)..<dataset.streams.offset(stream + 1)
        #expect(vocabulary.decode(tokens[positions]) == lines[stream])
        #expect(weights[positions.upperBound - 1] == 1 && weights[positions].reduce(0, +) == 1)
      }
      #expect(dataset.splits[0].streams.count == 30)

      // What a model of them reads.
      try writeBytes("walking  größer\n日\n".utf8, to: "\(dataset.path).txt")
      let read = try InputImport("\(dataset.path).txt", for: dataset.description).content(keptIn: "/tmp")
      guard case .tokens(let words) = read.values[.input] else {
        Issue.record("no tokens")
        return
      }
      #expect(
        zip(read.offsets, read.offsets.dropFirst()).map { vocabulary.decode(words[$0..<$1]) } == [
          "walking  größer", "日",
        ])
    }
    try withTemporaryDirectory { directory in
      let file = try File.create("\(directory)/a.h5")
      try file.write("x", (0..<240).map { Float($0 % 11) }, shape: [120, 2])
      try file.close()
      try writeBytes(Self.text(60).utf8, to: "\(directory)/t")
      try FramesToTextImport(
        halves("\(directory)/a.h5"), source: "/x", text: "\(directory)/t",
        grid: FrameGrid(rows: 1, columns: 2),
        level: .subword, subwords: plan(pieces: 290)
      ).run(output: "\(directory)/d.h5", command: "a test")
      let dataset = try SequenceDataset("\(directory)/d.h5")
      try dataset.verify()
      let tokens = try dataset.tokens(.input)
      guard case .tokens(let vocabulary) = dataset.description.input else { return }
      for stream in 0..<60 {
        let positions = dataset.streams.offset(stream)..<dataset.streams.offset(stream + 1)
        #expect(vocabulary.decode(tokens[positions]) == lines[stream])
      }
    }
  }

  // MARK: Refusals

  @Test func `how many pieces can't be had, and how many can, is told`() throws {
    let text = Array(Self.text(100).utf8)
    for pieces in [0, -1, 257, 1_000_001] {
      #expect(
        try refusal(text, plan(pieces: pieces))
          == "--pieces is \(pieces), expected 258 to 1000000: the 256 bytes and the unknown token are among them"
      )
    }
    for choice in SentencePieceModel.Choice.allCases {
      let few = try refusal(text, plan(choice, pieces: 258))
      let least = try #require(few.firstMatch(of: /expected (\d+) or more/).flatMap { Int($0.1) })
      #expect(
        few.contains("--pieces is 258")
          && few.contains("and the \(least - 257) characters of the training part"))
      #expect(try refusal(text, plan(choice, pieces: least)) == "none")
      #expect(try refusal(text, plan(choice, pieces: least - 1)).contains("expected \(least) or more"))

      let many = try refusal(text, plan(choice, pieces: 8000))
      let most = try #require(
        many.firstMatch(of: /gives no more than (\d+); say --pieces \d+ or less/).flatMap { Int($0.1) })
      #expect(try refusal(text, plan(choice, pieces: most)) == "none")
      #expect(try refusal(text, plan(choice, pieces: most + 1)).contains("no more than \(most);"))
    }
  }

  @Test func `what is no text is refused`() throws {
    #expect(try refusal([], plan()).hasPrefix("there is no text in "))
    #expect(try refusal(Array("\n \n  \n\n".utf8), plan()) == "there is no word in the training part")
    let bad = try refusal(Array("walk\ntalk\n".utf8) + [0x65, 0xFF, 0x0A], plan())
    #expect(bad.contains("/a: line 3: not valid UTF-8: the bytes at offset 11 are no character"))
    #expect(
      try refusal(Array(Self.lines(100).joined().filter { $0 != " " }.utf8), plan(.bpe)).contains(
        "split validation would be empty"))
    try expectRefusal(["a": "walk\t \n\ttalk\n"], "there is no pair: 2 pairs left out: 2 with an empty side")
    { path in
      try PairsImport(halves(path("a")), level: .subword)
    }
    try expectRefusal(
      ["a": Self.pairs(40)], "sources: --pieces is 8000, but the training part gives no more than "
    ) { path in
      try PairsImport(halves(path("a")), level: .subword)
    }
  }

  @Test func `what is said for other levels is refused`() throws {
    let parts = PartPlan.fractions(["a"], try SplitPlan(fractions: [0.5, 0.5]))
    func message(_ make: () throws -> Any) -> String {
      do { _ = try make() } catch { return "\(error)" }
      return "none"
    }
    let counted = "a minimum count or maximum size is for characters and words; the level is subword"
    #expect(message { try TextImport(parts, level: .subword, streams: .whole, minimumCount: 2) } == counted)
    #expect(message { try PairsImport(parts, level: .subword, minimumCount: 2) } == counted)
    let pieces = "--pieces and --pieces-by are for --level subword; the level is word"
    #expect(message { try TextImport(parts, level: .word, streams: .whole, subwords: plan()) } == pieces)
    #expect(message { try PairsImport(parts, subwords: plan()) } == pieces)
    #expect(message { try ClassesImport(parts, subwords: plan()) } == pieces)
    #expect(
      message {
        try TextImport(parts, level: .subword, streams: .whole, vocabularySource: "v", subwords: plan())
      }
        == "--pieces and --pieces-by are for a vocabulary of the text's own; leave it out, or the other vocabulary"
    )
  }

  // MARK: Files

  @Test func `a model that is damaged, missing or another's is told`() throws {
    try importing(Self.text(60)) { dataset, _ throws in
      let original = try readBytes(dataset.path)
      func refusal(_ change: (File) throws -> Void) throws -> String {
        try writeBytes(original, to: dataset.path)
        try File.changeAtomically(dataset.path, change: change)
        do { try SequenceDataset(dataset.path).verify() } catch { return "\(error)" }
        return "none"
      }
      func overwrite(_ file: File, _ change: (inout [UInt8]) -> Void) throws {
        let model = try file.dataset("sentencepiece")
        var bytes: [UInt8] = try model.readArray()
        change(&bytes)
        try bytes.withUnsafeBufferPointer { try model.write($0) }
      }
      #expect(try refusal { _ in } == "none")
      let damaged = try refusal {
        try overwrite($0) { $0.replaceSubrange(0..<8, with: repeatElement(0xFF, count: 8)) }
      }
      #expect(
        damaged.hasPrefix(
          "\(dataset.path): /sentencepiece is no model of subwords, or damaged: SentencePiece: "))
      // A piece that is spelt otherwise.
      let other = try refusal {
        try overwrite($0) { bytes in
          if let place = bytes.firstRange(of: Array("alk".utf8)) {
            bytes[place.lowerBound] = UInt8(ascii: "i")
          }
        }
      }
      #expect(other.contains("is not a subword"))
      // Any other byte: the fingerprint is over the model, too.
      let slight = try refusal { try overwrite($0) { bytes in bytes[bytes.count / 2] ^= 1 } }
      #expect(slight != "none")
    }
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      let file = try File.create(path)
      try file.write("values", [0, 1, 0, 1] as [UInt8])
      try file.write("offsets", [0, 4])
      try file.write("splits/train", [0, 4])
      try file.write("vocabulary", strings: ["a", "b"]).attributes.set("level", "subword")
      try file.close()
      let error = #expect(throws: HDF5Error.self) { try SequenceDataset.seal(path) }
      #expect("\(error as Any)".contains("has no dataset \"sentencepiece\""))
    }
  }
}
