import Sequences
import Testing

@Suite struct LabelledImportTests {
  private static let train = """
    the DT O
    cat  NN B-X

    the\tDT\tO
    big dog\tNN\tB-X
    \t
    cat NN I-X\r
    rare NN O
    """
  private static let validation = "the O\nunseen B-X\n"

  @Test func `the first column is the token and the last its label`() throws {
    try imported(["a": Self.train, "b": Self.validation]) { path in
      try LabelledImport(.files([[path("a")], [path("b")]]))
    } _: { dataset, remarks throws in
      // What occurs once in training is unknown, as is what occurs only elsewhere.
      #expect(try dataset.spellings(.input) == ["<unk>", "cat", "the"])
      #expect(try dataset.tokens(.input) == [2, 1, 2, 0, 1, 0, 2, 0])
      #expect(try dataset.spellings(.target) == ["B-X", "I-X", "O"])
      #expect(try dataset.tokens(.target) == [2, 0, 2, 0, 1, 2, 2, 0])
      #expect(Array(dataset.streams.offsets) == [0, 2, 4, 6, 8])
      #expect(dataset.ends == ["train": 0..<6, "validation": 6..<8])
      #expect(dataset.description.horizon == 0 && remarks.isEmpty)
      #expect(dataset.origin.files.map(\.bytes) == [Self.train.utf8.count, Self.validation.utf8.count])
    }
  }

  @Test func `fractions are of streams, or of the positions of one`() throws {
    let streams = (0..<10).map { "w\($0) L\n\n" }.joined()
    try imported(["a": streams]) { path in
      try LabelledImport(
        .fractions([path("a")], SplitPlan(fractions: [0.5, 0.3, 0.2], measure: nil)), minimumCount: 1)
    } _: { dataset, _ throws in
      #expect(dataset.ends == ["train": 0..<5, "validation": 5..<8, "test": 8..<10])
      #expect(try dataset.spellings(.input) == ["<unk>", "w0", "w1", "w2", "w3", "w4"])
      #expect(try dataset.tokens(.input) == [1, 2, 3, 4, 5, 0, 0, 0, 0, 0])
    }
    // Each part has a stream, however small.
    try imported(["a": streams]) { path in
      try LabelledImport(
        .fractions([path("a")], SplitPlan(fractions: [0.98, 0.01, 0.01], measure: nil)), minimumCount: 1)
    } _: { dataset, _ throws in
      #expect(dataset.ends == ["train": 0..<8, "validation": 8..<9, "test": 9..<10])
    }
    try imported(["a": streams.replacing("\n\n", with: "\n")]) { path in
      try LabelledImport(.fractions([path("a")], SplitPlan(fractions: [0.7, 0.3], measure: nil)))
    } _: { dataset, _ throws in
      #expect(dataset.streams.count == 1 && dataset.ends == ["train": 0..<7, "validation": 7..<10])
    }
  }

  @Test func `a label that training lacks is named with its line`() throws {
    try expectRefusal(
      ["a": Self.train, "b": "the O\n\ncat B-Y\n"],
      "/b: line 3: the label \"B-Y\" does not occur in the training part, whose labels are B-X, I-X, O; "
    ) { path in
      try LabelledImport(.files([[path("a")], [path("b")]]))
    }
  }

  @Test func `bad lines are refused`() throws {
    try expectRefusal(
      ["a": "the O\n\nalone\n"], "/a: line 3: expected a token, a tab or space and a label, found one column"
    ) { path in
      try LabelledImport(.fractions([path("a")], SplitPlan(fractions: [0.5, 0.5])))
    }
    try expectRefusal(["a": "\n \n"], "there is no labelled token in ") { path in
      try LabelledImport(.fractions([path("a")], SplitPlan(fractions: [0.5, 0.5])))
    }
    try expectRefusal(["a": "the O\n", "b": "\n"], "split validation would be empty: there is nothing in ") {
      path in
      try LabelledImport(.files([[path("a")], [path("b")]]))
    }
    try expectRefusal(["a": Self.train], "the minimum count is 0, expected 1 or more") { path in
      try LabelledImport(.fractions([path("a")], SplitPlan(fractions: [0.5, 0.5])), minimumCount: 0)
    }
  }
}
