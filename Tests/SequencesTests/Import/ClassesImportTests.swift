import Sequences
import Testing

@Suite struct ClassesImportTests {
  private static let train = "good\tfine, fine\n\nbad\tfine mess\ngood\ta\tb\n"
  private static let validation = "bad\tnew mess"

  private func parts(_ path: (String) -> String) -> PartPlan { .files([[path("a")], [path("b")]]) }

  @Test func `a line is a stream whose label is due at its end`() throws {
    try imported(["a": Self.train, "b": Self.validation]) { path in
      try ClassesImport(parts(path))
    } _: { dataset, _ throws in
      #expect(try dataset.spellings(.input) == ["<unk>", "fine"])
      #expect(try dataset.tokens(.input) == [1, 0, 1, 1, 0, 0, 0, 0, 0])
      #expect(Array(dataset.streams.offsets) == [0, 3, 5, 7, 9])
      #expect(try dataset.spellings(.target) == ["bad", "good"])
      #expect(try dataset.tokens(.target) == [1, 1, 1, 0, 0, 1, 1, 0, 0])
      #expect(try dataset.positionWeights() == [0, 0, 1, 0, 1, 0, 1, 0, 1])
      #expect(dataset.ends == ["train": 0..<7, "validation": 7..<9])
    }
  }

  @Test func `rare characters are unknown, and bytes never`() throws {
    let files = ["a": "x\taab\ny\tbaé\n", "b": "y\tbü\n"]
    try imported(files) { path in
      try ClassesImport(parts(path), level: .char)
    } _: { dataset, _ throws in
      #expect(try dataset.spellings(.input) == ["\u{FFFD}", "a", "b"])
      #expect(try dataset.tokens(.input) == [1, 1, 2, 2, 1, 0, 2, 0])
    }
    try imported(files) { path in
      try ClassesImport(parts(path), level: .byte)
    } _: { dataset, _ throws in
      #expect(try dataset.spellings(.input).count == 256)
      #expect(try dataset.tokens(.input) == Array("aabbaébü".utf8).map { Int32($0) })
    }
  }

  @Test func `fractions are of streams`() throws {
    try imported(["a": "x\ta b c d e f g h\nx\ti\nx\tj\nx\tk\n"]) { path in
      try ClassesImport(.fractions([path("a")], SplitPlan(fractions: [0.5, 0.5], measure: .stream)))
    } _: { dataset, _ throws in
      #expect(dataset.ends == ["train": 0..<9, "validation": 9..<11])
    }
  }

  @Test(arguments: [
    ("no tab", "/a: line 3: expected a label, a tab and a text, found \"no tab\""),
    ("\tno label", "/a: line 3: expected a label, a tab and a text, found "),
    ("x\t ", "/a: line 3: the text behind the label is empty; leave the line out"),
  ])
  func `a bad line is named`(_ line: String, _ message: String) throws {
    try expectRefusal(["a": "good\tfine\n\n\(line)\n", "b": Self.validation], message) { path in
      try ClassesImport(parts(path))
    }
  }

  @Test func `a label that training lacks is named with its line`() throws {
    try expectRefusal(
      ["a": Self.train, "b": "bad\tx\nugly\ty"],
      "/b: line 2: the label \"ugly\" does not occur in the training part, whose labels are bad, good; "
    ) { path in
      try ClassesImport(parts(path))
    }
  }
}
