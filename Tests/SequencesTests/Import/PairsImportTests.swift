import Chunks
import Sequences
import TestSupport
import Testing

extension SequenceDataset {
  /// The sources and targets of all pairs, spelt.
  fileprivate func pairs() throws -> [[String]] {
    guard case .tokens(let ofSources) = description.source, case .tokens(let ofTargets) = description.input
    else {
      throw DataError("the data are no pairs of tokens")
    }
    let targets = try tokens(.input)
    let sources = try sourceTokens()
    return (0..<streams.count).map { stream in
      let source = streams.source(of: stream)
      return [
        ofSources.decode(sources[source]),
        ofTargets.decode(targets[streams.offset(stream)..<streams.offset(stream + 1)]),
      ]
    }
  }

  /// As chunks hold them: of each stream alone.
  private func sourceTokens() throws -> [Int32] {
    let schedule = try Schedule(
      streams: streams, lanes: streams.count, chunk: 1, mode: .auto, traversal: .evaluation)
    let feeder = try ChunkFeeder(self, schedule, lanes: 0..<streams.count)
    defer { feeder.close() }
    let chunk = try feeder.nextChunk()
    guard let source = chunk.source else { return [] }
    var tokens = [Int32](repeating: -1, count: streams.sources(of: 0..<streams.count).count)
    for lane in 0..<chunk.lanes {
      for (step, place) in streams.source(of: chunk.streams[lane]).enumerated() {
        tokens[place] = source.tokens(.input)[step * chunk.lanes + lane]
      }
    }
    return tokens
  }
}

@Suite struct PairsImportTests {
  private static let sources = "a cat sat\n\nthe cat ran\n \na dog sat\na dog ran\n"
  private static let targets = "die Katze\nnichts\r\ndie Katze\nnichts\nder Hund\nder Hund\n"

  private func halves(_ files: [String]) throws -> PartPlan {
    .fractions(files, try SplitPlan(fractions: [0.5, 0.5], measure: .stream))
  }

  @Test func `lines of two files are pairs, each side with the vocabulary of the training part`() throws {
    try imported(["s": Self.sources, "t": Self.targets]) { path in
      try PairsImport(halves([path("s"), path("t")]), minimumCount: 1)
    } _: { dataset, remarks throws in
      #expect(remarks == ["2 pairs left out: 2 with an empty side"])
      #expect(
        try dataset.description
          == DataDescription(
            [
              .input: .tokens(
                Vocabulary(
                  level: .word, spellings: ["<unk>", "Katze", "die", "<begin>", "<end>"], unknown: 0,
                  ends: .init(begin: 3, end: 4)))
            ],
            source: .tokens(
              Vocabulary(level: .word, spellings: ["<unk>", "a", "cat", "ran", "sat", "the"], unknown: 0))))
      // Each target between its begin and end.
      #expect(try dataset.tokens(.input) == [3, 2, 1, 4, 3, 2, 1, 4, 3, 0, 0, 4, 3, 0, 0, 4])
      #expect(Array(dataset.streams.offsets) == [0, 4, 8, 12, 16])
      #expect((0..<4).map(dataset.streams.source(of:)) == [0..<3, 3..<6, 6..<9, 9..<12])
      #expect(dataset.ends == ["train": 0..<8, "validation": 8..<16])
      #expect(
        try dataset.pairs() == [
          ["a cat sat", "die Katze"], ["the cat ran", "die Katze"], ["a <unk> sat", "<unk> <unk>"],
          ["a <unk> ran", "<unk> <unk>"],
        ])
      #expect(dataset.origin.files.map(\.bytes) == [Self.sources.utf8.count, Self.targets.utf8.count])
    }
  }

  @Test func `a file holds both sides, or one file for each part, and the vocabulary may be shared`() throws {
    let train = "ab\tba\nabc\tcba\tno part of it\n\nb\tb\r\n"
    try imported(["a": train, "b": "ac\tca\n", "c": "bx\txb\n"]) { path in
      try PairsImport(
        .files([[path("a")], [path("b")], [path("c")]]), level: .char, minimumCount: 1, isShared: true)
    } _: { dataset, remarks throws in
      #expect(remarks.isEmpty)
      #expect(try dataset.spellings(.input) == ["\u{FFFD}", "a", "b", "c", "<begin>", "<end>"])
      #expect(dataset.description.source == dataset.description.input)
      #expect(
        try dataset.pairs() == [
          ["ab", "ba"], ["abc", "cba"], ["b", "b"], ["ac", "ca"], ["b\u{FFFD}", "\u{FFFD}b"],
        ])
      #expect(dataset.ends == ["train": 0..<12, "validation": 12..<16, "test": 16..<20])
    }
  }

  @Test func `bytes are any, and their begin and end lie behind them`() throws {
    try imported(["a": "é\t<begin>\nx\ty\n"]) { path in
      try PairsImport(halves([path("a")]), level: .byte)
    } _: { dataset, _ throws in
      #expect(
        try dataset.tokens(.input) == [256] + "<begin>".utf8.map { Int32($0) } + [257, 256, 121, 257])
      #expect(try dataset.pairs() == [["é", "<begin>"], ["x", "y"]])
    }
  }

  @Test func `pairs with a side that is too long are left out and counted`() throws {
    let text = "a b c\tx\na b\tx y\na\tx y z\n\tx\na\tx\n"
    try imported(["a": text]) { path in
      // The target's end counts, as it does in data.longest.
      try PairsImport(halves([path("a")]), minimumCount: 1, longest: 3)
    } _: { dataset, remarks throws in
      #expect(remarks == ["2 pairs left out: 1 with an empty side, 1 longer than --longest 3"])
      #expect(try dataset.pairs() == [["a b c", "x"], ["a b", "x <unk>"], ["a", "x"]])
      func schedule(longest: Int) throws -> Schedule {
        try Schedule(
          streams: dataset.streams, lanes: 1, chunk: 1, mode: .auto, traversal: .evaluation, longest: longest)
      }
      #expect(try schedule(longest: 3).chunk == 3)
      #expect(throws: DataError.self) { try schedule(longest: 2) }
    }
  }

  /// Files that can't be imported.
  struct BadFiles: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let files: [String: String]
    var names = ["a"]
    let message: String
  }

  private static let badFiles = [
    BadFiles(
      testDescription: "more sources", files: ["a": "x\ny\nz\n", "b": "x\n"], names: ["a", "b"],
      message: "has 3 lines, but "),
    BadFiles(
      testDescription: "more targets", files: ["a": "x\n", "b": "x\ny\nz"], names: ["a", "b"],
      message: "/b has no partner"),
    BadFiles(
      testDescription: "the first odd line", files: ["a": "x\ny\nz\n", "b": "x\n"], names: ["a", "b"],
      message: "has 1; expected the same number, a source and its target in each: line 2 of "),
    BadFiles(
      testDescription: "no tab", files: ["a": "x\ty\n\nalone\n"],
      message: "/a: line 3: expected a source, a tab and a target, found no tab in \"alone\""),
    BadFiles(
      testDescription: "three files", files: ["a": "x", "b": "x", "c": "x"], names: ["a", "b", "c"],
      message: "there are 3 files, expected two, whose lines are sources and targets, or one"),
    BadFiles(
      testDescription: "nothing but empty sides", files: ["a": "\tx\ny\t \n"],
      message: "there is no pair: 2 pairs left out: 2 with an empty side"),
    BadFiles(testDescription: "nothing", files: ["a": ""], message: "there is no pair of texts in "),
    BadFiles(
      testDescription: "one pair", files: ["a": "x\ty\n"], message: "would be empty"),
  ]

  @Test(arguments: badFiles) func `what is wrong with files is told`(_ bad: BadFiles) throws {
    try expectRefusal(bad.files, bad.message) { path in try PairsImport(halves(bad.names.map(path))) }
  }

  @Test func `text that is no UTF-8 is told by its line`() throws {
    try withTemporaryDirectory { directory in
      try writeBytes(Array("a\tb\nc\td\n".utf8) + [0x65, 0xFF, 0x09, 0x66, 0x0A], to: "\(directory)/a")
      let error = #expect(throws: DataError.self) {
        try PairsImport(halves(["\(directory)/a"])).run(output: "\(directory)/d.h5", command: "")
      }
      #expect(error?.description.contains("/a: line 3: not valid UTF-8: the bytes at offset 9 ") == true)
    }
  }

  @Test func `no text has the begin and end tokens, and they add nothing to one`() throws {
    let letters = try Vocabulary(
      level: .char, spellings: ["<", "e", "n", "<begin>", "<end>"], ends: .init(begin: 3, end: 4))
    #expect(try letters.encode("<en") == [0, 1, 2])
    #expect(letters.decode([3, 1, 2, 4]) == "en")
    let words = try Vocabulary(
      level: .word, spellings: ["<unk>", "a", "b", "<begin>", "<end>"], unknown: 0,
      ends: .init(begin: 3, end: 4))
    #expect(try words.encode("<end> a") == [0, 0, 0, 1])
    #expect(words.decode([3, 1, 2, 4]) == "a b")
    for (begin, end) in [(3, 3), (0, 4), (3, 5), (-1, 4)] as [(Int32, Int32)] {
      let error = #expect(throws: DataError.self) {
        try Vocabulary(
          level: .word, spellings: words.spellings, unknown: 0, ends: .init(begin: begin, end: end))
      }
      #expect(
        error?.description.hasPrefix("the begin token is \(begin) and the end token \(end), expected") == true
      )
    }
  }
}
