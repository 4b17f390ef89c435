import Sequences
import TestSupport
import Testing

/// What an import made, read back.
struct Imported {
  let dataset: SequenceDataset
  let tokens: [Int32]

  /// The text of each stream.
  var texts: [String] {
    zip(dataset.streams.offsets, dataset.streams.offsets.dropFirst()).map {
      dataset.vocabulary.decode(tokens[$0..<$1])
    }
  }
}

/// Imports files of these contents.
func importText(
  _ contents: [[UInt8]], _ level: TokenLevel = .char, _ streams: StreamKind = .whole,
  split: [Double] = [0.5, 0.5],
  by measure: SplitPlan.Measure = .position, newlines: Newlines = .keep, minimumCount: Int? = nil,
  maximumSize: Int? = nil
) throws -> Imported {
  try withTemporaryDirectory { directory in
    let files = contents.indices.map { "\(directory)/\($0).txt" }
    for (file, content) in zip(files, contents) { try writeBytes(content, to: file) }
    let output = "\(directory)/d.h5"
    do {
      try TextImport(
        .fractions(files, SplitPlan(fractions: split, measure: measure)), level: level, streams: streams,
        newlines: newlines, minimumCount: minimumCount, maximumSize: maximumSize
      ).run(output: output, command: "a test")
    } catch {
      // Nothing is left of an import that failed.
      #expect(try directoryEntries(directory) == files.indices.map { "\($0).txt" })
      throw error
    }
    let dataset = try SequenceDataset(output)
    try dataset.verify()
    var tokens = [Int32](repeating: 0, count: dataset.streams.tokens.count)
    try tokens.withUnsafeMutableBufferPointer { try dataset.read(tokens: dataset.streams.tokens, into: $0) }
    return Imported(dataset: dataset, tokens: tokens)
  }
}

func importText(
  _ text: String, _ level: TokenLevel = .char, _ streams: StreamKind = .whole, split: [Double] = [0.5, 0.5],
  by measure: SplitPlan.Measure = .position, newlines: Newlines = .keep, minimumCount: Int? = nil,
  maximumSize: Int? = nil
) throws -> Imported {
  try importText(
    [Array(text.utf8)], level, streams, split: split, by: measure, newlines: newlines,
    minimumCount: minimumCount, maximumSize: maximumSize)
}

@Suite struct TextImportTests {
  @Test func charactersAreScalarValuesInAscendingOrder() throws {
    // The second e is followed by a combining accent: two characters for Python and here.
    let found = try importText("bée\u{301}\0😀b\r\n")
    #expect(found.dataset.vocabulary.spellings == ["\0", "\n", "\r", "b", "e", "é", "\u{301}", "😀"])
    #expect(found.tokens == [3, 5, 4, 6, 0, 7, 3, 2, 1])
    #expect(found.texts == ["bée\u{301}\0😀b\r\n"])
    #expect(found.dataset.origin.command == "a test")
    #expect(found.dataset.origin.files.map(\.bytes) == [14])
  }

  @Test func equivalentSpellingsAreDifferentWords() throws {
    let found = try importText("\u{E9} e\u{301} \u{E9} e\u{301}", .word)
    #expect(found.dataset.vocabulary.count == 2)
    #expect(found.tokens == [1, 0, 1, 0])
  }

  @Test func bytesAreTakenAsTheyAre() throws {
    let found = try importText([[0xFF, 0, 0x41, 0xC3]], .byte)
    #expect(found.tokens == [0xFF, 0, 0x41, 0xC3])
    #expect(found.dataset.vocabulary == .bytes)
    #expect(found.dataset.vocabulary.spellings[0x0A] == "0a")
    #expect(try found.dataset.vocabulary.encode("Aé") == [0x41, 0xC3, 0xA9])
  }

  @Test(arguments: [
    [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
    [0xED, 0xBF, 0xBF],
    [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xC3],
    [0xE2, 0x82],
    [0xF0, 0x9F, 0x98], [0xC3, 0x41], [0xE2, 0x82, 0x41], [0xF0, 0x9F, 0x98, 0xC3], [0xE2, 0x28, 0xA1],
  ])
  func whatIsNoUTF8IsNamedByItsOffset(sequence: [UInt8]) throws {
    // At the start of a block, inside one, and cut by its end at every byte.
    for offset in [0, 4, 262_141, 262_142, 262_143, 262_144] {
      let text = (0..<offset).map { $0 % 100 == 99 ? 0x0A : 0x61 } + sequence
      let error = #expect(throws: DataError.self) { try importText([text]) }
      #expect(error?.description.contains("0.txt: line \(offset / 100 + 1): not valid UTF-8") == true)
      #expect(error?.description.contains("at offset \(offset) ") == true)
    }
  }

  @Test func sequencesMayBeCutByTheEndOfABlock() throws {
    for text in ["é", "€", "😀", "\u{10FFFF}", "\u{D7FF}", "\u{E000}", "\u{800}", "\u{10000}"] {
      for offset in 262_140...262_144 {
        let found = try importText(String(repeating: "a", count: offset) + text)
        #expect(found.tokens.count == offset + 1)
        #expect(found.tokens.last == 1)
        #expect(found.dataset.vocabulary.spellings == ["a", text])
      }
    }
  }

  @Test func wordsAreSplitFromPunctuationAndPutTogetherAgain() throws {
    let text = "“Don't go,” she said (twice);\nwell-known -- 3 o'clock, no 'quote'.\n"
    let found = try importText(text, .word)
    let spellings = found.tokens.map { found.dataset.vocabulary.spellings[Int($0)] }
    #expect(
      spellings == [
        "“", "Don't", "go", ",", "”", "she", "said", "(", "twice", ")", ";", "\n", "well-known", "-", "-",
        "3", "o'clock",
        ",", "no", "'", "quote", "'", ".", "\n",
      ])
    #expect(found.texts == ["“Don't go,” she said (twice);\nwell-known - - 3 o'clock, no' quote'.\n"])
    #expect(found.dataset.vocabulary.spellings.prefix(3) == ["\n", "'", "("])
    #expect(found.dataset.vocabulary.unknown == nil)
  }

  @Test func longWordsAreCut() throws {
    let found = try importText(
      String(repeating: "a", count: 300) + " " + String(repeating: "語", count: 50), .word)
    let spellings = found.tokens.map { found.dataset.vocabulary.spellings[Int($0)] }
    #expect(spellings.map(\.utf8.count) == [128, 128, 44, 126, 24])
  }

  @Test func rareWordsBecomeTheUnknownToken() throws {
    let text = "c b a c b c d\n"
    let counted = try importText(text, .word, minimumCount: 2)
    #expect(counted.dataset.vocabulary.spellings == ["<unk>", "b", "c"])
    #expect(counted.tokens == [2, 1, 0, 2, 1, 2, 0, 0])
    #expect(counted.dataset.vocabulary.unknown == 0)
    #expect(try counted.dataset.vocabulary.encode("b zebra") == [1, 0])
    // Of equally frequent words the first in the alphabet: the line feed.
    let limited = try importText(text, .word, maximumSize: 4)
    #expect(limited.dataset.vocabulary.spellings == ["<unk>", "\n", "b", "c"])
    // A limit that leaves all words is none.
    #expect(try importText(text, .word, maximumSize: 9).dataset.vocabulary.count == 6)
  }

  @Test func streamsAreLinesParagraphsFilesOrTheWhole() throws {
    let first = "\n\none\n two\n\n \n three\n"
    let second = "\nfour"
    func texts(_ streams: StreamKind, _ level: TokenLevel = .char) throws -> [String] {
      try importText([Array(first.utf8), [], Array(second.utf8)], level, streams).texts
    }
    #expect(try texts(.whole) == [first + second])
    #expect(try texts(.file) == [first, second])
    #expect(try texts(.line) == ["\n", "\n", "one\n", " two\n", "\n", " \n", " three\n", "\n", "four"])
    #expect(try texts(.paragraph) == ["\n\none\n two\n\n \n", " three\n", "\nfour"])
    #expect(try texts(.paragraph, .byte) == ["\n\none\n two\n\n \n", " three\n", "\nfour"])
    #expect(try texts(.paragraph, .word) == ["\n\none\ntwo\n\n\n", "three\n", "\nfour"])
    #expect(try texts(.line, .word) == ["\n", "\n", "one\n", "two\n", "\n", "\n", "three\n", "\n", "four"])
    // Lines of white space alone have no words.
    #expect(try importText("a b c\n   ", .word, .line).texts == ["a b c\n"])
  }

  @Test func splitsAreCutByPositionOrByStream() throws {
    let text = "aaaaaaaa\nbb\ncc\ndd\n"
    let byPosition = try importText(text, .char, .line, split: [0.5, 0.25, 0.25]).dataset
    #expect(byPosition.splits.map(\.name) == ["train", "validation", "test"])
    #expect(byPosition.splits.map { Array($0.streams.offsets) } == [[0, 9], [9, 12, 13], [13, 15, 18]])
    let byStream = try importText(text, .char, .line, split: [0.5, 0.25, 0.25], by: .stream).dataset
    #expect(byStream.splits.map { Array($0.streams.offsets) } == [[0, 9, 12], [12, 15], [15, 18]])
    #expect(byStream.splits.map(\.floor) == [nil, nil, nil])
    // 0.29 of 100 is a little less than 29 in floating point.
    let uneven = try importText(String(repeating: "x", count: 100), split: [0.29, 0.29, 0.42]).dataset
    #expect(uneven.splits.map(\.streams.tokens) == [0..<29, 29..<58, 58..<100])
    #expect(try uneven.split("test").streams.pairs == 41)
    #expect(throws: DataError.self) { try uneven.split("dev") }
  }

  @Test func badRequestsAreRefused() throws {
    #expect(throws: DataError.self) { try SplitPlan(fractions: [1]) }
    #expect(throws: DataError.self) { try SplitPlan(fractions: [0.9, 0.2]) }
    #expect(throws: DataError.self) { try SplitPlan(fractions: [1, 0]) }
    #expect(throws: DataError.self) { try SplitPlan(fractions: [0.25, 0.25, 0.25, 0.25]) }
    #expect(throws: DataError.self) { try SplitPlan(fractions: [.nan, 0.5]) }
    #expect(throws: DataError.self) { try importText("abc", .byte, minimumCount: 2) }
    #expect(throws: DataError.self) { try importText("abc abc", .word, maximumSize: 1) }
    #expect(throws: DataError.self) { try importText("abc abc", .word, minimumCount: 0) }
    #expect(throws: DataError.self) { try importText("") }
    #expect(throws: DataError.self) { try importText(" \t ", .word) }
    #expect(throws: DataError.self) { try importText([[]], .byte) }
    let split = #expect(throws: DataError.self) { try importText("abc\n", .char, .line, by: .stream) }
    #expect(
      split?.description.hasPrefix("split train would be empty: of 1 stream none is left for it; ") == true)
    #expect(throws: DataError.self) { try importText("abc", split: [0.9, 0.1]) }
    try withTemporaryDirectory { (directory: String) throws -> Void in
      for file in ["\(directory)/missing.txt", directory] {
        let error = #expect(throws: DataError.self) {
          try TextImport(
            .fractions([file], SplitPlan(fractions: [0.5, 0.5])), level: .char, streams: .whole
          )
          .run(output: "\(directory)/d.h5", command: "a test")
        }
        #expect(error?.description.hasPrefix("\(file): ") == true)
      }
      #expect(try directoryEntries(directory) == [])
    }
  }

  @Test func whatExistsIsNotOverwritten() throws {
    try withTemporaryDirectory { directory in
      try writeBytes(Array("some text".utf8), to: "\(directory)/a.txt")
      try writeBytes([1, 2, 3], to: "\(directory)/d.h5")
      let text = try TextImport(
        .fractions(["\(directory)/a.txt"], SplitPlan(fractions: [0.5, 0.5])), level: .char, streams: .whole)
      #expect(throws: (any Error).self) { try text.run(output: "\(directory)/d.h5", command: "a test") }
      #expect(try readBytes("\(directory)/d.h5") == [1, 2, 3])
      #expect(try directoryEntries(directory) == ["a.txt", "d.h5"])
    }
  }

  /// A block of a file ends inside some of these marks and line ends.
  @Test func `line ends are kept or made one character`() throws {
    for length in [0, 3, 262_142, 262_143, 262_144] {
      let line = String(repeating: "a", count: length)
      let text = "\(line)\r\nb\r\r\nc\rd\n\r"
      #expect(try importText(text).texts == [text])
      #expect(try importText(text, newlines: .unix).texts == ["\(line)\nb\r\nc\rd\n\r"])
      #expect(try importText(text, .byte, newlines: .unix).texts == ["\(line)\nb\r\nc\rd\n\r"])
    }
  }

  @Test func `a byte order mark is no part of the text`() throws {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let texts = [mark + Array("ab".utf8), Array("c\u{FEFF}".utf8), mark]
    #expect(try importText(texts).texts == ["abc\u{FEFF}"])
    #expect(try importText(texts, .byte).tokens.starts(with: [0xEF, 0xBB, 0xBF, 0x61]))
  }

  @Test func `UTF-16 and UTF-32 are named`() throws {
    let text = "An ordinary text,\nof two lines"
    func encode(_ width: Int, isBig: Bool, mark: Bool) -> [UInt8] {
      ((mark ? "\u{FEFF}" : "") + text).unicodeScalars.flatMap { scalar in
        let bytes = (0..<width).map { UInt8(truncatingIfNeeded: scalar.value >> (8 * UInt32($0))) }
        return isBig ? bytes.reversed() : bytes
      }
    }
    for (width, isBig, name) in [
      (2, false, "UTF-16LE"), (2, true, "UTF-16BE"), (4, false, "UTF-32LE"), (4, true, "UTF-32BE"),
    ] {
      for mark in [false, true] {
        let bytes = encode(width, isBig: isBig, mark: mark)
        let error = #expect(throws: DataError.self) { try importText([bytes]) }
        #expect(
          error?.description.contains(
            "0.txt: is text in \(name), not in UTF-8; convert it (iconv -f \(name) ")
            == true, "\(name), \(mark)")
        #expect(try importText([bytes], .byte).tokens.count == bytes.count)
      }
    }
  }

  @Test func `what is read is told, up to all`() throws {
    try withTemporaryDirectory { directory in
      for (name, length) in [("a", 600_000), ("b", 0), ("c", 300_000)] {
        try writeBytes([UInt8](repeating: 0x61, count: length), to: "\(directory)/\(name)")
      }
      var told: [Double] = []
      try TextImport(
        .fractions(
          ["\(directory)/a", "\(directory)/b", "\(directory)/c"], SplitPlan(fractions: [0.5, 0.5])),
        level: .char, streams: .whole
      ).run(output: "\(directory)/d.h5", command: "a test") { told.append($0) }
      #expect(told == told.sorted() && told.last == 1 && told.count > 6 && told[0] < 0.2, "\(told)")
    }
  }

  @Test func `text is spelt token by token`() throws {
    let text = "“Don't go,” she said (twice);\nwell-known 😀 é\n"
    for level in [TokenLevel.char, .byte, .word] {
      let found = try importText(text, level)
      var speller = TokenSpeller(found.dataset.vocabulary)
      let pieces = found.tokens.map { speller.spell($0) }
      #expect(pieces.flatMap { $0 } == Array(text.utf8), "\(level)")
      if level == .byte { #expect(pieces.allSatisfy { $0.count == 1 }) }
    }
  }

  @Test func promptsOutsideTheVocabularyAreNamed() throws {
    let vocabulary = try importText("to be or not").dataset.vocabulary
    #expect(try vocabulary.decode(vocabulary.encode("not to be")) == "not to be")
    let error = #expect(throws: DataError.self) { try vocabulary.encode("to bé") }
    #expect(
      error?.description
        == "\"é\", token 4 of the text, is not in the vocabulary of 7 chars, which are \" benort\"")
  }

  @Test func largeVocabulariesAreStoredInWiderTypes() throws {
    let words = (0..<70_000).map { "w\($0)" }
    for count in [256, 257, 65_536, 65_537] {
      let found = try importText(words[..<count].joined(separator: " "), .word)
      #expect(found.dataset.vocabulary.count == count)
      #expect(found.tokens.count == count)
      #expect(Set(found.tokens).count == count)
      #expect(found.texts == [words[..<count].joined(separator: " ")])
    }
  }
}
