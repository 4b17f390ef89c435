import HDF5
import TestSupport
import Testing

/// `seqtrain data import`: what is true of every importer.
@Suite(.serialized) struct ImportCommandTests {
  /// An importer, with files that it reads and options that it needs.
  struct Importer: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let text: String
    var options: [String] = []
    /// What `data info` says of the result.
    let expected: [String]
  }

  private static let importers = [
    Importer(
      testDescription: "text", text: String(repeating: "to be or not to be\n", count: 8),
      options: ["--level", "word", "--minimum-count", "2"], expected: ["words, with an unknown token"]),
    Importer(
      testDescription: "labelled", text: String(repeating: "the O\ncat B-X\n\nthe O\n\n", count: 8),
      expected: ["3 words, with an unknown token", "2 labels"]),
    Importer(
      testDescription: "classes", text: String(repeating: "good\ta fine thing\nbad\ta mess\n", count: 8),
      expected: ["5 words, with an unknown token", "2 labels", "8 streams, 8 targets"]),
    Importer(
      testDescription: "pairs", text: String(repeating: "a fine thing\teine Sache\nx\ty z\n", count: 8),
      options: ["--shared", "--longest", "9"],
      expected: ["11 words, with an unknown token, with begin and end tokens", "source"]),
    Importer(
      testDescription: "table", text: "x,y\n" + (0..<100).map { "\($0),\($0 % 7)\n" }.joined(),
      options: ["--inputs", "x,y", "--targets", "y", "--horizon", "3"],
      expected: ["frames of 2 columns", "frames of 1 column"]),
  ]

  private func arguments(_ importer: Importer, _ files: [String]) -> [String] {
    ["data", "import", importer.testDescription, "--output", "d.h5"] + importer.options + files
  }

  @Test(arguments: importers) func `files are divided, or given for each part`(_ importer: Importer) throws {
    try Workspace.with { place in
      try place.write("a", importer.text)
      let text = try place.output(arguments(importer, ["a", "--split", "0.5,0.25,0.25"]))
      for fragment in importer.expected { #expect(text.contains(fragment), "\(text)") }
      let splits = try File.open(place("d.h5")).group("splits").childNames()
      #expect(splits == ["test", "train", "validation"])
      removeTree(place("d.h5"))

      try place.output(arguments(importer, ["--train", "a", "--validation", "a"]))
      let file = try File.open(place("d.h5"))
      let train = try file.dataset("splits/train").readArray(of: Int.self)
      #expect(try file.dataset("splits/validation").readArray(of: Int.self) == [train[1], 2 * train[1]])
    }
  }

  @Test(arguments: importers) func `what is compressed or comes from standard input is the same`(
    _ importer: Importer
  ) throws {
    try Workspace.with { place in
      try place.write("a", "\u{FEFF}" + importer.text)
      try place.write("plain", importer.text)
      #expect(try runProcess("gzip", ["-k", "a"], directory: place.path).status == 0)
      func fingerprint(_ command: String, _ file: String) throws -> String {
        removeTree(place("d.h5"))
        let result = try runProcess(
          "sh",
          ["-c", "\(command) | \"$0\" \"$@\"", try builtProgram("seqtrain")] + arguments(importer, [file]),
          directory: place.path)
        #expect(result.status == 0, "\(result)")
        return try File.open(place("d.h5")).attributes.string("fingerprint")
      }
      let plain = try fingerprint("true", "plain")
      #expect(try fingerprint("true", "a.gz") == plain)
      #expect(try fingerprint("cat plain", "-") == plain)
    }
  }

  @Test(arguments: importers) func `bad requests leave nothing behind`(_ importer: Importer) throws {
    try Workspace.with { place in
      try place.write("a", importer.text)
      try place.write("empty", "")
      let before = try place.entries
      for (files, message) in [
        (["missing"], "missing: cannot be opened: No such file"), (["empty"], "there is no "),
        (["a", "--split", "0.9,0.2"], "the split is 0.9,0.2, expected two or three parts above 0"),
        (
          ["--train", "a", "--validation", "empty"],
          "split validation would be empty: there is nothing in empty"
        ),
      ] {
        expectRefusal(try place.seqtrain(arguments(importer, files)), [message])
      }
      for files in [[], ["--train", "a"], ["a", "--train", "a", "--validation", "a"]] {
        let result = try place.seqtrain(arguments(importer, files))
        #expect(result.status == 64, "\(result)")
      }
      #expect(try place.entries == before)
      try place.write("d.h5", "mine")
      expectRefusal(try place.seqtrain(arguments(importer, ["a"])), ["d.h5: "])
      #expect(try readBytes(place("d.h5")) == Array("mine".utf8))
    }
  }

  @Test func `arrays are imported`() throws {
    try Workspace.with { place in
      let file = try File.create(place("arrays.h5"))
      try file.write("x", (0..<80).map { Float($0 % 9) }, shape: [40, 2])
      try file.write("y", (0..<40).map { Int16($0 % 3) })
      try file.write("o", [0, 10, 20, 30, 40])
      try file.write("s", strings: ["train", "validation", "test", "train"])
      try file.close()
      let arguments = [
        "data", "import", "hdf5", "arrays.h5", "--output", "d.h5", "--inputs", "/x", "--targets", "/y",
        "--offsets",
        "/o",
      ]
      let text = try place.output(arguments + ["--split-name", "/s"])
      for fragment in ["frames of 2 columns", "3 labels"] { #expect(text.contains(fragment), "\(text)") }
      #expect(try File.open(place("d.h5")).dataset("splits/train").readArray(of: Int.self) == [0, 20])
      removeTree(place("d.h5"))
      let result = try place.seqtrain(arguments + ["--split-name", "/s", "--split", "0.5,0.5"])
      #expect(result.status == 64, "\(result)")
      expectRefusal(
        try place.seqtrain(arguments + ["--binary", "--split", "0.5,0.5"]),
        ["neither inputs nor targets are frames of 0 and 1"])
      #expect(try place.entries == ["arrays.h5"])
    }
  }

  private struct PairInfo: Decodable {
    struct Track: Decodable {
      let vocabulary: Int?, begin: Int?, end: Int?, grid: [Int]?
    }
    let streams: Int, source_positions: Int, tracks: [String: Track]
  }

  @Test func `frames and the lines of a text are imported as pairs`() throws {
    try Workspace.with { place in
      let file = try File.create(place("a.h5"))
      try file.write("x", (0..<48).map { Float($0 % 9) }, shape: [24, 2])
      try file.close()
      try place.write("t", "a b\nb\na\nb b\n")
      let arguments = [
        "data", "import", "hdf5", "a.h5", "--output", "d.h5", "--split", "0.5,0.5", "--source", "/x",
      ]
      let pairs = arguments + ["--target-text", "t", "--minimum-count", "1"]
      let text = try place.output(pairs + ["--grid", "2x3"])
      for fragment in [
        "frames of 2 columns, in a grid of 2 x 3", "with begin and end tokens", "24 positions",
      ] {
        #expect(text.contains(fragment), "\(text)")
      }
      let info = try decode(PairInfo.self, try place.output(["data", "info", "d.h5", "--json"]))
      #expect(info.streams == 4 && info.source_positions == 24)
      #expect(info.tracks["source"]?.grid == [2, 3])
      #expect(info.tracks["input"]?.vocabulary == 5)
      #expect(info.tracks["input"]?.begin == 3 && info.tracks["input"]?.end == 4)
      for wrong in [
        arguments, pairs + ["--inputs", "/x"], pairs + ["--targets", "/x"], pairs + ["--grid", "23"],
        pairs + ["--grid", "2xa"],
      ] {
        let result = try place.seqtrain(wrong)
        #expect(result.status == 64, "\(result)")
      }
    }
  }

  @Test func `a table is divided by a column`() throws {
    try Workspace.with { place in
      try place.write("t.csv", "x,\"a, b\",p\n1,2,train\n3,4,train\n5,6,validation\n7,8,validation\n")
      try place.output([
        "data", "import", "table", "t.csv", "--output", "d.h5", "--inputs", "x,\"a, b\"", "--split-name", "p",
      ])
      let file = try File.open(place("d.h5"))
      #expect(try file.dataset("input/names").readStrings() == ["x", "a, b"])
      #expect(try file.dataset("splits/validation").readArray(of: Int.self) == [2, 4])
    }
  }

  @Test func `text takes the vocabulary of another dataset`() throws {
    try Workspace.with { place in
      try place.write("a", "abcabc")
      try place.write("b", "bade")
      try place.write("l", String(repeating: "the O\ncat B-X\n\n", count: 8))
      let options = ["--split", "0.5,0.5", "--output"]
      func vocabulary(_ name: String) throws -> [String] {
        try File.open(place(name)).dataset("vocabulary").readStrings()
      }
      try place.output(["data", "import", "text", "a"] + options + ["a.h5"])
      expectRefusal(
        try place.seqtrain(["data", "import", "text", "b", "--vocabulary", "a.h5"] + options + ["b.h5"]),
        ["b: \"d\" is not in the vocabulary of a.h5, which has no unknown token; make that dataset anew with"]
      )
      try place.output(["data", "import", "text", "a", "--minimum-count", "2"] + options + ["c.h5"])
      #expect(try vocabulary("c.h5") == ["\u{FFFD}", "a", "b", "c"])
      try place.output(["data", "import", "text", "b", "--vocabulary", "c.h5"] + options + ["b.h5"])
      #expect(try vocabulary("b.h5") == vocabulary("c.h5"))
      #expect(try File.open(place("b.h5")).dataset("values").readArray(of: Int.self) == [2, 1, 0, 0])

      // Those of tracks, too.
      try place.output(["data", "import", "labelled", "l"] + options + ["l.h5"])
      try place.output(
        ["data", "import", "text", "l", "--level", "word", "--vocabulary", "l.h5"] + options + ["w.h5"])
      #expect(try vocabulary("w.h5") == ["<unk>", "cat", "the"])
      expectRefusal(
        try place.seqtrain(["data", "import", "text", "b", "--vocabulary", "l.h5"] + options + ["x.h5"]),
        ["l.h5: has a vocabulary of words, expected chars; say --level word"])
      expectRefusal(
        try place.seqtrain([
          "data", "import", "text", "--train", "a", "--validation", "b", "--output", "x.h5",
        ]),
        ["b: \"d\" does not occur in the training text; with --minimum-count 2 it becomes the unknown token"])
    }
  }
}
