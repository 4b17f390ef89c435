import HDF5
import Sequences
import TestSupport
import Testing

/// The parts of a dataset file, written without the checks of `DatasetWriter`.
private struct Raw {
  var values: [UInt16] = [0, 1, 2, 0, 1, 2, 0, 1]
  var offsets = [0, 3, 8]
  var splits = ["train": [0, 5], "validation": [5, 8]]
  var level = "char"
  var spellings = ["a", "b", "c"]
  var unknown: Int?
  var kind: String? = "dataset"
  var version = 1
  var fingerprint = "0"
  var omitted = ""

  func write(_ path: String) throws {
    let file = try File.create(path)
    if let kind { try file.attributes.set("kind", kind) }
    try file.attributes.set("format_version", version)
    if omitted != "fingerprint" { try file.attributes.set("fingerprint", fingerprint) }
    if omitted != "values" { try file.write("values", values) }
    if omitted != "offsets" { try file.write("offsets", offsets) }
    if omitted != "splits" { try file.createGroup("splits") }
    for (name, ends) in splits where omitted != "splits" { try file.write("splits/\(name)", ends) }
    if omitted != "vocabulary" {
      let vocabulary = try file.write("vocabulary", strings: spellings)
      try vocabulary.attributes.set("level", level)
      if let unknown { try vocabulary.attributes.set("unknown", unknown) }
    }
    if omitted != "origin" { try file.createGroup("origin").attributes.set("command", "a test") }
    try file.close()
  }
}

/// Datasets as h5py writes them; see Fixtures/make_fixtures.py.
@Suite struct ForeignDatasetTests {
  private func fixture(_ name: String) -> String {
    #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex) + "Fixtures/\(name).h5"
  }

  /// Their fingerprints were computed in Python.
  @Test(arguments: ["bool", "int8", "int16", "uint32", "int64", "uint64"])
  func `tokens of any integer type are read`(_ name: String) throws {
    let dataset = try SequenceDataset(fixture(name))
    try dataset.verify()
    #expect(Array(dataset.streams.offsets) == [0, 3, 4, 8])
    #expect(dataset.splits.map { Array($0.streams.offsets) } == [[0, 3, 4, 5], [5, 8]])
    #expect(dataset.origin == DatasetOrigin(command: nil))
    var tokens = [Int32](repeating: -1, count: 8)
    try tokens.withUnsafeMutableBufferPointer { try dataset.read(tokens: 0..<8, into: $0) }
    #expect(tokens == (name == "bool" ? [0, 1, 1, 0, 1, 0, 1, 1] : [0, 1, 2, 3, 1, 0, 2, 3]))
    let spellings = dataset.vocabulary.spellings
    switch name {
    case "bool": #expect(spellings == ["no", "yes"])
    case "uint64": #expect(spellings == ["\0", "a", "b", "ä"])
    default: #expect(spellings == ["<unk>", "größer", "kleiner", "gleich"])
    }
    #expect(dataset.vocabulary.unknown == (name.hasPrefix("int") && name != "int64" ? 0 : nil))
  }

  @Test(arguments: ["bool", "int8", "int16", "uint32", "int64", "uint64"])
  func `tokens that are held in memory are not read from the file again to be verified`(_ name: String) throws
  {
    let dataset = try SequenceDataset(fixture(name))
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: dataset.byteCount, alignment: 64)
    defer { memory.deallocate() }
    try dataset.load(positions: dataset.streams.tokens, into: memory)
    dataset.hold(in: UnsafeRawBufferPointer(memory))
    try dataset.verify()
    memory[0] = 1
    #expect(throws: DataError.self) { try dataset.verify() }
  }

  /// Its fingerprint was computed in Python.
  @Test func `tracks of any numeric type are read`() throws {
    let dataset = try SequenceDataset(fixture("tracks"))
    try dataset.verify()
    let labels = try Vocabulary(level: .label, spellings: ["B-X", "I-X", "O"])
    #expect(
      try dataset.description
        == DataDescription([
          .input: .frames(FrameColumns(["Höhe", "t"], units: ["m", ""], means: [0.5, 0], scales: [2, 1])),
          .target: .tokens(labels),
          .initial: .tokens(Vocabulary(level: .label, spellings: ["no", "yes"])),
        ]))
    #expect(try dataset.readFrames(.input, rows: 3..<5) == [0.5, 0.75, 1, 1.25])
    #expect(try dataset.readTokens(.target, rows: 2..<6) == [2, 0, 1, 2])
    #expect(try dataset.readTokens(.initial, rows: 0..<3) == [1, 0, 1])
    #expect(dataset.splits.map(\.floor) == [0.125, nil])
    #expect(dataset.splits.map(\.streams.pairs) == [4, 4])
  }

  @Test func `the dataset of the manual is sealed`() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/mine.h5"
      try writeBytes(try readBytes(fixture("readme")), to: path)
      let error = #expect(throws: DataError.self) { try SequenceDataset(path) }
      #expect(
        error?.description
          == "\(path): is not a whole dataset: write the attributes \"kind\", \"format_version\", "
          + "\"fingerprint\" by: seqtrain data seal \(path)")
      try SequenceDataset.seal(path)
      let dataset = try SequenceDataset(path)
      try dataset.verify()
      var tokens = [Int32](repeating: 0, count: 42)
      try tokens.withUnsafeMutableBufferPointer { try dataset.read(tokens: 0..<42, into: $0) }
      #expect(dataset.vocabulary.decode(tokens) == "to be, or not to be,\nthat is the question\n")
      #expect(Array(dataset.streams.offsets) == [0, 21, 42])
      #expect(try directoryEntries(directory) == ["mine.h5"])
    }
  }

  @Test func `a dataset that was changed is sealed anew`() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try Raw(fingerprint: "stale").write(path)
      try SequenceDataset.seal(path)
      try SequenceDataset(path).verify()
      #expect(try SequenceDataset(path).fingerprint.utf8.count == 64)
      try writeBytes([1, 2, 3], to: path)
      #expect(throws: HDF5Error.self) { try SequenceDataset.seal(path) }
      #expect(try readBytes(path) == [1, 2, 3])
    }
  }

  @Test func `all that is missing is told at once`() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      let file = try File.create(path)
      try file.write("values", [0, 1])
      try file.write("vocabulary", strings: ["a", "b"])
      try file.close()
      let error = #expect(throws: DataError.self) { try SequenceDataset(path) }
      #expect(
        error?.description
          == "\(path): is not a whole dataset: add /offsets, /splits, the attribute \"level\" of "
          + "/vocabulary (char, byte, word, subword); then write the attributes \"kind\", \"format_version\", \"fingerprint\" by: "
          + "seqtrain data seal \(path)")
    }
  }

  @Test func `what is no stream of tokens is told so`() throws {
    let frames = #expect(throws: DataError.self) { try SequenceDataset(fixture("frames")) }
    #expect(
      frames?.description.contains("/values holds float32 in shape [8, 2], but only tokens may stand there")
        == true)
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      let file = try File.create(path)
      try file.write("labels", [0, 1])
      try file.write("target", [0, 1])
      try file.close()
      let pairs = #expect(throws: DataError.self) { try SequenceDataset(path) }
      #expect(
        pairs?.description
          == "\(path): has /labels; tracks are groups named input, target, weight, initial and source, with their values: "
          + "/input/values")
    }
  }
}

@Suite struct SequenceDatasetTests {
  /// The message with which the dataset is refused, or "none".
  private func refusal(_ raw: Raw) throws -> String {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try raw.write(path)
      do {
        _ = try SequenceDataset(path)
        return "none"
      } catch {
        let message = "\(error)"
        #expect(message.hasPrefix("\(path): "))
        return String(message.dropFirst(path.utf8.count + 2)).replacing("; make the dataset anew", with: "")
      }
    }
  }

  private func refusal(_ change: (inout Raw) -> Void) throws -> String {
    var raw = Raw()
    change(&raw)
    return try refusal(raw)
  }

  @Test func aSoundFileIsReadAsItWasWritten() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try makeDataset(path, [[3, 1], [4], [1, 5, 9, 2, 6]], vocabulary: 10, cut: 5)
      let dataset = try SequenceDataset(path)
      #expect(Array(dataset.streams.offsets) == [0, 2, 3, 8])
      #expect(dataset.splits.map(\.name) == ["train", "validation"])
      #expect(dataset.splits.map { Array($0.streams.offsets) } == [[0, 2, 3, 5], [5, 8]])
      #expect(dataset.splits.map(\.streams.pairs) == [2, 2])
      #expect(dataset.splits.map(\.floor) == [nil, 1.25])
      #expect(dataset.vocabulary.count == 10)
      #expect(dataset.origin == DatasetOrigin(command: "a test"))
      #expect(dataset.fingerprint.utf8.count == 64)
      var tokens = [Int32](repeating: -1, count: 3)
      try tokens.withUnsafeMutableBufferPointer { try dataset.read(tokens: 2..<5, into: $0) }
      #expect(tokens == [4, 1, 5])
      try dataset.verify()
    }
  }

  @Test func theFingerprintIsOfAllContentAndNothingElse() throws {
    func fingerprint(
      _ streams: [[Int32]] = [[1, 2, 3], [4, 5]], vocabulary: Int = 10, cut: Int = 3
    ) throws -> String {
      try withTemporaryDirectory { directory in
        try makeDataset("\(directory)/d.h5", streams, vocabulary: vocabulary, cut: cut)
        return try SequenceDataset("\(directory)/d.h5").fingerprint
      }
    }
    let first = try fingerprint()
    #expect(try fingerprint() == first)
    #expect(try fingerprint([[1, 2, 3], [4, 6]]) != first)
    #expect(try fingerprint([[1, 2], [3, 4, 5]]) != first)
    #expect(try fingerprint(vocabulary: 9) != first)
    #expect(try fingerprint(cut: 2) != first)
  }

  @Test func anUnsoundFileIsRefused() throws {
    #expect(try refusal(Raw()) == "none")
    let expected = "expected a file of kind \"dataset\", found "
    #expect(
      try refusal { $0.kind = nil }.hasPrefix(
        "is not a whole dataset: write the attribute \"kind\" by: seqtrain data seal"))
    #expect(
      try refusal { $0.kind = "checkpoint" }
        == expected + "one of kind \"checkpoint\"; `seqtrain data import` makes datasets of text, tables and "
        + "arrays")
    #expect(try refusal { $0.version = 3 }.hasPrefix("written in version 3 of the format \"dataset\", and"))
    #expect(try refusal { $0.version = 0 }.contains("is 0, expected 1 or more"))
    for part in ["/values", "/offsets", "/splits", "/vocabulary"] {
      #expect(
        try refusal { $0.omitted = String(part.dropFirst()) } == "is not a whole dataset: add \(part)")
    }
    // Where it comes from need not be known.
    #expect(try refusal { $0.omitted = "origin" } == "none")
  }

  @Test func badOffsetsAreRefused() throws {
    #expect(
      try refusal { $0.offsets = [0, 3, 9] }
        == "/offsets goes from 0 to 9, expected 0 to 8, the number of values")
    #expect(try refusal { $0.offsets = [1, 3, 8] }.hasPrefix("/offsets goes from 1 to 8"))
    #expect(
      try refusal { $0.offsets = [0, 5, 3, 8] }.hasPrefix("offsets must ascend, but stream 1 goes from"))
    #expect(
      try refusal { $0.offsets = [0, 3, 3, 8] }.hasPrefix("offsets must ascend, but stream 1 goes from"))
    #expect(try refusal { $0.offsets = [-1, 8] }.hasPrefix("stream 0 begins at token -1"))
    #expect(try refusal { $0.offsets = [.min, .max] }.hasPrefix("stream 0 begins at token"))
    #expect(try refusal { $0.offsets = [8] } == "there are no streams")
    #expect(try refusal { $0.offsets = [] } == "there are no streams")
  }

  @Test func badSplitsAreRefused() throws {
    #expect(try refusal { $0.splits = [:] } == "there are no splits")
    #expect(
      try refusal { $0.splits["train"] = [5, 5] }.hasPrefix("split train goes from token 5 to token 5 of 8"))
    #expect(
      try refusal { $0.splits["train"] = [4, 2] }.hasPrefix("split train goes from token 4 to token 2 of 8"))
    #expect(try refusal { $0.splits["train"] = [-1, 2] }.hasPrefix("split train goes from token -1"))
    #expect(
      try refusal { $0.splits["train"] = [0, 9] }.hasPrefix("split train goes from token 0 to token 9"))
    #expect(try refusal { $0.splits["train"] = [0, 6] } == "the splits train and validation overlap")
    #expect(try refusal { $0.splits["train"] = [0, 1] } == "split train has no stream of 2 tokens or more")
    #expect(try refusal { $0.splits["train"] = [0, 2, 5] }.hasPrefix("/splits/train: expected shape [2]"))
  }

  @Test func badVocabulariesAreRefused() throws {
    #expect(try refusal { $0.spellings = [] } == "the vocabulary is empty")
    #expect(try refusal { $0.spellings = ["a", "b", "a"] } == "the vocabulary has the same token twice")
    #expect(try refusal { $0.spellings = ["a", "bc", "d"] } == "token 1 (\"bc\") is not a char")
    #expect(try refusal { $0.level = "byte" } == "token 0 (\"a\") is not a byte")
    #expect(
      try refusal { $0.level = "syllable" }.hasPrefix(
        "the vocabulary's level is \"syllable\"; known are char"))
    #expect(try refusal { $0.unknown = 3 } == "the unknown token is 3, outside the vocabulary of 3")
  }

  @Test func badValuesAreFoundWhenTheyAreRead() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try Raw(values: [0, 1, 2, 0, 3, 2, 60_000, 1]).write(path)
      let dataset = try SequenceDataset(path)
      var tokens = [Int32](repeating: -1, count: 4)
      try tokens.withUnsafeMutableBufferPointer { try dataset.read(tokens: 0..<4, into: $0) }
      let error = #expect(throws: DataError.self) {
        try tokens.withUnsafeMutableBufferPointer { try dataset.read(tokens: 2..<6, into: $0) }
      }
      #expect(
        error?.description == "\(path): token 4 is 3, outside the vocabulary of 3; make the dataset anew")
      #expect(throws: DataError.self) { try dataset.verify() }
      #expect(throws: DataError.self) { try dataset.check(positions: 0..<8) }
      try dataset.check(positions: 0..<4)
    }
  }

  @Test func contentThatIsNotWhatTheFingerprintSaysIsFound() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try Raw(fingerprint: "abc").write(path)
      let error = #expect(throws: DataError.self) { try SequenceDataset(path).verify() }
      #expect(error?.description.contains("does not have the stated fingerprint (abc, found ") == true)
    }
  }

  @Test func valuesOfOtherKindsAreRefused() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try Raw(omitted: "values").write(path)
      let error = #expect(throws: (any Error).self) { try SequenceDataset(path) }
      #expect(error.map { "\($0)" }?.contains("/values") == true)
      let other = "\(directory)/e.h5"
      let file = try File.create(other)
      try file.attributes.set("kind", "dataset")
      try file.attributes.set("format_version", 1)
      try file.attributes.set("fingerprint", "0")
      try file.write("values", [0.5, 1.5])
      try file.createGroup("origin").attributes.set("command", "a test")
      try file.write("vocabulary", strings: ["a"]).attributes.set("level", "char")
      try file.close()
      let kind = #expect(throws: DataError.self) { try SequenceDataset(other) }
      #expect(
        kind?.description
          == "\(other): /values holds float64 in shape [2], but only tokens may stand there: whole numbers in one "
          + "dimension; frames belong in /input/values")
    }
  }

  @Test func otherFilesAreRefused() throws {
    try withTemporaryDirectory { directory in
      #expect(throws: HDF5Error.self) { try SequenceDataset("\(directory)/missing.h5") }
      try writeBytes([], to: "\(directory)/empty.h5")
      #expect(throws: HDF5Error.self) { try SequenceDataset("\(directory)/empty.h5") }
      try writeBytes(Array("just text".utf8), to: "\(directory)/text.h5")
      #expect(throws: HDF5Error.self) { try SequenceDataset("\(directory)/text.h5") }
      try makeDataset(
        "\(directory)/d.h5", [[Int32]](repeating: [1, 2, 3, 4], count: 4000), vocabulary: 9, cut: 8000)
      let whole = try readBytes("\(directory)/d.h5")
      for length in [100, whole.count / 2, whole.count - 1] {
        try writeBytes(whole[..<length], to: "\(directory)/cut.h5")
        #expect(throws: HDF5Error.self) { try SequenceDataset("\(directory)/cut.h5") }
      }
    }
  }
}
