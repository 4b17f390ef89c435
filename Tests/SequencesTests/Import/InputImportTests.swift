import Chunks
import Sequences
import TestSupport
import Testing

@Suite struct InputImportTests {
  /// What is read of a file with this text for a model of these data.
  private func read(
    _ text: String, for data: DataDescription, _ change: (inout InputImport) -> Void = { _ in }
  ) throws -> (content: DatasetContent, offsets: [Int]) {
    try withTemporaryDirectory { place in
      try writeBytes(text.utf8, to: "\(place)/file")
      var data = try InputImport("\(place)/file", for: data)
      change(&data)
      let content = try data.content(keptIn: place)
      return (content, Array(try content.streams.offsets))
    }
  }

  private func refusal(
    _ text: String, for data: DataDescription, _ change: (inout InputImport) -> Void = { _ in }
  ) throws -> String {
    let error = #expect(throws: DataError.self) { try read(text, for: data, change) }
    return error?.description ?? ""
  }

  private func words(_ spellings: [String], unknown: Int?) throws -> DataDescription {
    try DataDescription([
      .input: .tokens(Vocabulary(level: .word, spellings: spellings, unknown: unknown)),
      .target: .tokens(Vocabulary(level: .label, spellings: ["A", "B"])),
    ])
  }

  @Test func `lines of a text are streams`() throws {
    let (content, offsets) = try read(
      "b  a\n\nzebra, a\n", for: words(["<unk>", "a", "b"], unknown: 0))
    #expect(content.readTokens(.input, rows: 0..<5) == [2, 1, 0, 0, 1] && offsets == [0, 2, 5])
    #expect(content.description.stored.count == 1)
    let letters = try DataDescription([.input: .tokens(Vocabulary(level: .char, spellings: ["a", "b", "é"]))])
    let (characters, ends) = try read("é\nab", for: letters)
    #expect(characters.readTokens(.input, rows: 0..<3) == [2, 0, 1] && ends == [0, 1, 3])
  }

  @Test func `or tokens, with blank lines between streams`() throws {
    let (content, offsets) = try read(
      "b\tNN\n a\n\n\t\nb,\n", for: words(["<unk>", "a", "b"], unknown: 0)
    ) { $0.lines = .tokens }
    #expect(content.readTokens(.input, rows: 0..<3) == [2, 1, 0] && offsets == [0, 2, 3])
  }

  @Test func `columns of a table are found by name, and what is missing is the mean`() throws {
    let columns = try FrameColumns(
      ["x", "x missing", "y"], means: [5, 0, -1], scales: [2, 1, 1])
    let data = try DataDescription([.input: .frames(columns)], horizon: 3)
    let text = "t,id,y,other,x\n2,p,1,-,3\n1,q,NA,-,4\n1,p,2,-,\n"
    let (content, offsets) = try read(text, for: data) { ($0.stream, $0.time) = ("id", "t") }
    #expect(content.readFrames(.input, rows: 0..<3) == [5, 1, 2, 3, 0, 1, 4, 0, -1] && offsets == [0, 2, 3])
    let (whole, ends) = try read(text, for: data)
    #expect(whole.readFrames(.input, rows: 1..<2) == [4, 0, -1] && ends == [0, 3])
  }

  @Test func `what the model can't read is refused`() throws {
    let known = try words(["a", "b"], unknown: nil)
    #expect(
      try refusal("a\nb zebra\n", for: known).hasSuffix(
        "/file: line 2: \"zebra\" is not in the model's vocabulary, which has no unknown token; leave it out")
    )
    #expect(try refusal("a\nzebra\n", for: known) { $0.lines = .tokens }.contains("line 2: \"zebra\""))
    #expect(try refusal("\n\n", for: known).contains("there is no text in "))
    let frames = try DataDescription([
      .input: .frames(FrameColumns(["x"])), .initial: .frames(FrameColumns(["z"])),
    ])
    #expect(try refusal("x\n1\n", for: frames).contains("the model reads initial conditions of each stream"))
    let table = try DataDescription([.input: .frames(FrameColumns(["x"]))])
    #expect(try refusal("y\n1\n", for: table).hasSuffix("line 1: there is no column \"x\"; there are y"))
    #expect(try refusal("x\n", for: table).contains("there is no row of numbers in "))
  }
}
