import Sequences
import Testing

@Suite struct TableImportTests {
  private func halves(_ path: String...) throws -> PartPlan {
    .fractions(path, try SplitPlan(fractions: [0.5, 0.5], measure: nil))
  }

  @Test func `columns are read by name and normalised by the training part`() throws {
    let text =
      "t,a,\"b, \"\"quoted\"\"\",note\r\n0,1,10,\"two\nlines\"\r\n1,3,-2.5e1,x\r\n\r\n2,1e3,7,x\r\n3,5,8,x\r\n"
    try imported(["d.csv": text]) { path in
      try TableImport(
        halves(path("d.csv")), columns: TableColumns(inputs: ["b, \"quoted\"", "a"], targets: ["a"]),
        horizon: 1)
    } _: { dataset, remarks throws in
      #expect(try dataset.frames(.input) == [10, 1, -25, 3, 7, 1000, 8, 5])
      #expect(try dataset.frames(.target) == [1, 3, 1000, 5])
      let columns = try dataset.columns(.input)
      #expect(columns.names == ["b, \"quoted\"", "a"])
      #expect(columns.means == [-7.5, 2] && columns.scales == [17.5, 1])
      #expect(try dataset.columns(.target) == FrameColumns(["a"], means: [2], scales: [1]))
      #expect(dataset.description.horizon == 1 && dataset.description.stored.count == 2)
      #expect(dataset.ends == ["train": 0..<2, "validation": 2..<4] && remarks.isEmpty)
    }
  }

  @Test func `rows are put into streams and sorted by time`() throws {
    let text =
      "id\tt\tx\nb\t2026-03-01\t5\na\t2026-02-28T23:59:59.5\t2\nb\t2026-02-28 12:00\t4\n"
      + "a\t2026-02-28T22:00:00Z\t1\na\t2026-03-01T01:30+01:00\t3\nc\t2024-02-29\t6\nc\t2024/03/01\t7\n"
    try imported(["d.tsv": text]) { path in
      try TableImport(
        .fractions([path("d.tsv")], SplitPlan(fractions: [0.7, 0.3], measure: nil)),
        columns: TableColumns(inputs: ["x"], stream: "id", time: "t"))
    } _: { dataset, remarks throws in
      // Streams stand in the order in which they come first.
      #expect(try dataset.frames(.input) == [4, 5, 1, 2, 3, 6, 7])
      #expect(Array(dataset.streams.offsets) == [0, 2, 5, 7])
      #expect(dataset.description.stored.count == 1 && dataset.description.horizon == 1)
      #expect(remarks == ["sorted the rows by t"])
    }
  }

  @Test(arguments: MissingInputs.allCases) func `missing inputs are filled, and weigh nothing as targets`(
    _ missing: MissingInputs
  ) throws {
    let text = "id,x,y\n0,,1\n0,2,NA\n0,NaN,3\n1, na ,4\n1,6,5\n1,4,9\n"
    try imported(["d.csv": text]) { path in
      try TableImport(
        halves(path("d.csv")), columns: TableColumns(inputs: ["x", "y"], targets: ["y"], stream: "id"),
        missing: missing)
    } _: { dataset, remarks throws in
      let columns = try dataset.columns(.input)
      let inputs = try dataset.frames(.input)
      switch missing {
      case .mask:
        #expect(columns.names == ["x", "x missing", "y", "y missing"])
        #expect(columns.means == [2, 0, 2, 0] && columns.scales == [1, 1, 1, 1])
        #expect(inputs == [2, 1, 1, 0, 2, 0, 2, 1, 2, 1, 3, 0, 2, 1, 4, 0, 6, 0, 5, 0, 4, 0, 9, 0])
      case .forward: #expect(columns.names == ["x", "y"] && inputs == [2, 1, 2, 1, 2, 3, 2, 4, 6, 5, 4, 9])
      case .zero: #expect(columns.names == ["x", "y"] && inputs == [2, 1, 2, 2, 2, 3, 2, 4, 6, 5, 4, 9])
      }
      #expect(columns.normalized(inputs[0], column: 0) == 0)
      #expect(try dataset.positionWeights() == [1, 0, 1, 1, 1, 1])
      #expect(
        remarks == ["column \"x\" is 2.0 throughout the training part; it says nothing to a model"])
    }
  }

  @Test func `weights are of units where only some are missing`() throws {
    let text = "x,y\n1,1\n2,\n5,6\n7,9\n"
    try imported(["d.csv": text]) { path in
      try TableImport(halves(path("d.csv")), columns: TableColumns(inputs: ["x"], targets: ["x", "y"]))
    } _: { dataset, _ throws in
      #expect(try dataset.frames(.target) == [1, 1, 2, 1, 5, 6, 7, 9])
      #expect(try dataset.frames(.weight) == [1, 1, 1, 0, 1, 1, 1, 1])
    }
    // Without targets the input is one, but not the flag that a value is missing.
    try imported(["d.csv": text]) { path in
      try TableImport(halves(path("d.csv")), columns: TableColumns(inputs: ["x", "y"]))
    } _: { dataset, _ throws in
      #expect(try dataset.columns(.weight).names == ["x", "y", "y missing"])
      #expect(try dataset.frames(.weight) == [1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0])
    }
  }

  @Test func `parts are files, or what a column says`() throws {
    let columns = TableColumns(inputs: ["x"], stream: "id")
    try imported(["a.csv": "id,x\n0,1\n0,3\n", "b.csv": "x,id\n9,0\n8,0\n", "c.csv": "id,x\n5,7\n5,6\n"]) {
      path in
      try TableImport(.files([[path("a.csv")], [path("b.csv")], [path("c.csv")]]), columns: columns)
    } _: { dataset, _ throws in
      #expect(try dataset.frames(.input) == [1, 3, 9, 8, 7, 6])
      #expect(dataset.ends == ["train": 0..<2, "validation": 2..<4, "test": 4..<6])
      #expect(try dataset.columns(.input).means == [2])
    }
    let text =
      "id,x,part\n0,1,train\n0,2,train\n1,9,validation\n0,5,validation\n0,6,validation\n1,8,train\n1,7,train\n1,3,validation\n"
    try imported(["d.csv": text]) { path in
      try TableImport(.named("part", [path("d.csv")]), columns: columns)
    } _: { dataset, _ throws in
      #expect(try dataset.frames(.input) == [1, 2, 8, 7, 5, 6, 9, 3])
      #expect(Array(dataset.streams.offsets) == [0, 2, 4, 6, 8])
      #expect(dataset.ends == ["train": 0..<4, "validation": 4..<8])
    }
  }

  /// A table that can't be imported, with inputs x and y, targets y, the stream id and the time t.
  struct BadTable: CustomTestStringConvertible, Sendable {
    let testDescription: String, text: String, message: String
  }

  private static let header = "id,t,x,y\n"
  private static let badTables = [
    BadTable(testDescription: "empty", text: "", message: "there is no row of numbers in "),
    BadTable(testDescription: "only a header", text: header, message: "there is no row of numbers in "),
    BadTable(
      testDescription: "a missing column", text: "id,t,x,z\n0,1,2,3\n",
      message: "/d.csv: line 1: there is no column \"y\"; there are id, t, x, z"),
    BadTable(
      testDescription: "a column twice", text: "id,t,x,y,x\n0,1,2,3,4\n",
      message: "/d.csv: line 1: there are 2 columns \"x\"; rename one"),
    BadTable(
      testDescription: "text", text: header + "0,1,2,3\n0,2,\"a\nb\",3\n",
      message:
        "/d.csv: line 3: column \"x\" holds \"a\\nb\", expected a number, or nothing, NA or NaN where it is missing"
    ),
    BadTable(
      testDescription: "infinity", text: header + "0,1,2,3\n0,2,inf,3\n",
      message: "/d.csv: line 3: column \"x\" holds \"inf\", expected a number that float32 can hold"),
    BadTable(
      testDescription: "a short row", text: header + "0,1,2,3\n\n0,2,3\n",
      message: "/d.csv: line 4: has 3 fields, expected 4 as in the first row"),
    BadTable(
      testDescription: "a time of another kind", text: header + "0,1,2,3\n0,2026-01-31,2,3\n",
      message: "/d.csv: line 3: column \"t\" holds \"2026-01-31\", expected a number as in the rows before"),
    BadTable(
      testDescription: "no time", text: header + "0,soon,2,3\n",
      message: "/d.csv: line 2: column \"t\" holds \"soon\", expected a number, or a date such as"),
    BadTable(
      testDescription: "a repeated time", text: header + "0,1,2,3\n1,1,2,3\n0,2,2,3\n0,1.0,5,6\n",
      message: "/d.csv: line 5: the time in column \"t\" is that of another row of its stream ("),
    BadTable(
      testDescription: "an input that is never there", text: header + "0,1,,3\n0,2,,4\n0,3,5,6\n0,4,5,6\n",
      message: "all 2 values of column \"x\" in the training part are missing"),
    BadTable(
      testDescription: "no target in validation", text: header + "0,1,1,3\n0,2,2,4\n0,3,5,\n0,4,5,\n",
      message: "no target in split validation counts: each is missing, or its weight is 0"),
    BadTable(
      testDescription: "a quotation mark inside", text: header + "0,1,2\"3,4\n",
      message: "/d.csv: line 2: a quotation mark stands inside a field"),
    BadTable(
      testDescription: "text behind a quotation mark", text: header + "0,1,\"2\"3,4\n",
      message: "/d.csv: line 2: text follows a field's closing quotation mark"),
    BadTable(
      testDescription: "an open quotation mark", text: header + "0,1,\"2,4\n0,2,3,4\n",
      message: "/d.csv: line 2: a quotation mark opens a field that is not closed"),
  ]

  @Test(arguments: badTables) func `a bad table is refused`(_ bad: BadTable) throws {
    try expectRefusal(["d.csv": bad.text], bad.message) { path in
      try TableImport(
        halves(path("d.csv")),
        columns: TableColumns(inputs: ["x", "y"], targets: ["y"], stream: "id", time: "t"))
    }
  }

  @Test func `a bad part is refused`() throws {
    func named(_ text: String, _ message: String) throws {
      try expectRefusal(["d.csv": "x,part\n1,train\n2,train\n\(text)"], message) { path in
        try TableImport(.named("part", [path("d.csv")]), columns: TableColumns(inputs: ["x"]))
      }
    }
    try named(
      "1,dev\n", "/d.csv: line 4: column \"part\" holds \"dev\", expected one of train, validation, test")
    try named("", "split validation would be empty: part has no row with validation")
  }
}
