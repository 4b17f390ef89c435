import Glibc
import HDF5
import TestSupport
import Testing

/// `seqtrain data`: from texts to datasets.
@Suite(.serialized) struct DataCommandTests {
  /// Two files; a paragraph may have two lines, and the last line of a file no end.
  private static let texts = [
    "The cat sat.\nIt sat on the mat.\n\nÄ dog ran by.\n", "The end was near.\n\n\nSo the cat ran",
  ]
  private static let whole = texts.joined()

  /// What `info --json` says, as far as these tests go.
  private struct Info: Decodable {
    struct Split: Decodable { let name: String, tokens: Int, streams: Int, targets: Int, floor: Double? }
    let kind: String, formatVersion: Int, tokens: Int, streams: Int, splits: [Split], level: String
    let vocabulary: Int, unknown: Int?, fingerprint: String

    enum CodingKeys: String, CodingKey {
      case kind, tokens, streams, splits, level, vocabulary, unknown, fingerprint
      case formatVersion = "format_version"
    }
  }

  private func importTexts(_ place: Workspace, _ options: String...) throws -> Info {
    for (index, text) in Self.texts.enumerated() { try place.write("\(index).txt", text) }
    try place.output(["data", "import", "text", "0.txt", "1.txt", "--output", "d.h5"] + options)
    return try decode(Info.self, try place.output(["data", "info", "d.h5", "--json"]))
  }

  /// The text of a dataset's tokens, put together from the file alone.
  private func text(_ path: String, in place: Workspace) throws -> String { try text(place(path)) }

  private func text(_ path: String, separator: String = "") throws -> String {
    let file = try File.open(path)
    let spellings = try file.dataset("vocabulary").readStrings()
    return try file.dataset("values").readArray(of: Int32.self).map { spellings[Int($0)] }
      .joined(separator: separator)
  }

  @Test(arguments: ["file", "line", "paragraph", "whole"])
  func `characters are cut into streams`(_ streams: String) throws {
    try Workspace.with { place in
      let info = try importTexts(place, "--streams", streams, "--split", "0.5,0.5")
      #expect(
        info.kind == "dataset" && info.formatVersion == 1 && info.level == "char" && info.unknown == nil)
      #expect(info.tokens == Self.whole.unicodeScalars.count)
      #expect(info.vocabulary == Set(Self.whole.unicodeScalars).count)
      #expect(try text(place("d.h5")) == Self.whole)
      let found = try File.open(place("d.h5")).dataset("offsets").readArray(of: Int.self)
      #expect(info.streams == found.count - 1)
      // A stream begins where the text before it ends so.
      let scalars = Array(Self.whole.unicodeScalars.map { Character($0) })
      let ends = found.dropFirst().dropLast().map { String(scalars[max(0, $0 - 2)..<$0]) }
      switch streams {
      case "whole": #expect(ends == [])
      case "file": #expect(found == [0, Self.texts[0].unicodeScalars.count, scalars.count])
      case "line": #expect(ends.allSatisfy { $0.hasSuffix("\n") })
      default: #expect(ends == ["\n\n", ".\n", "\n\n"])
      }
    }
  }

  /// Streams are of the text, whatever its tokens are.
  @Test(arguments: ["char", "byte", "word"], [("file", 2), ("line", 8), ("paragraph", 4), ("whole", 1)])
  func `streams are the same on every level`(_ level: String, _ streams: (kind: String, count: Int)) throws {
    try Workspace.with { place in
      let info = try importTexts(place, "--level", level, "--streams", streams.kind, "--split", "0.5,0.5")
      #expect(info.level == level && info.streams == streams.count)
      let text = try place.output(["data", "info", "d.h5"])
      #expect(
        text.contains("in \(streams.count) stream")
          && text.contains("0.txt, \(Self.texts[0].utf8.count) bytes"))
    }
  }

  @Test func `bytes and words are tokens too`() throws {
    try Workspace.with { place in
      let bytes = try importTexts(place, "--level", "byte", "--split", "0.5,0.5")
      #expect(bytes.tokens == Self.whole.utf8.count && bytes.vocabulary == 256)
      #expect(
        try File.open(place("d.h5")).dataset("values").readArray(of: UInt8.self) == Array(Self.whole.utf8))
    }
    try Workspace.with { place in
      let words = try importTexts(place, "--level", "word", "--split", "0.5,0.5")
      #expect(words.level == "word" && words.unknown == nil)
      let spelt = try text(place("d.h5"), separator: " ")
      #expect(spelt.hasPrefix("The cat sat . \n It sat on the mat . \n"), "\(spelt)")
      #expect(words.vocabulary == Set(spelt.split(separator: " ")).count)
    }
    try Workspace.with { place in
      // "the", "The", "cat", "sat", "ran", "." and line ends occur twice or more.
      let words = try importTexts(place, "--level", "word", "--minimum-count", "2", "--split", "0.5,0.5")
      let spelt = try text(place("d.h5"), separator: " ")
      let unknown = try #require(words.unknown)
      #expect(unknown == 0 && words.vocabulary == 8, "\(spelt)")
      let few = try text(place("d.h5"), separator: " ").split(separator: " ")
      #expect(few.prefix(4) == ["The", "cat", "sat", "."] && !few.contains("dog") && !few.contains("mat"))
    }
    try Workspace.with { place in
      let words = try importTexts(place, "--level", "word", "--maximum-size", "3", "--split", "0.5,0.5")
      #expect(words.vocabulary == 3 && words.unknown == 0)
    }
  }

  @Test func `parts are counted in tokens or in streams`() throws {
    try Workspace.with { place in
      let info = try importTexts(place, "--streams", "line", "--split", "0.5,0.25,0.25")
      #expect(info.splits.map(\.name) == ["train", "validation", "test"])
      let (total, tokens) = (info.tokens, info.splits.map(\.tokens))
      #expect(tokens == [total / 2, total * 3 / 4 - total / 2, total - total * 3 / 4])
      for split in info.splits {
        #expect(split.targets == split.tokens - split.streams && split.floor == nil)
      }
    }
    try Workspace.with { place in
      let info = try importTexts(
        place, "--streams", "line", "--split", "0.5,0.25,0.25", "--split-by", "stream")
      #expect(info.streams == 8 && info.splits.map(\.streams) == [4, 2, 2])
      #expect(info.splits.reduce(0) { $0 + $1.tokens } == info.tokens)
    }
  }

  @Test func `what is said of a dataset`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let json = try place.output(["data", "info", "tales.h5", "--json"])
      #expect(
        keys(json) == [
          "kind", "format_version", "dataset", "tokens", "streams", "splits", "name", "tokens", "streams",
          "targets", "floor", "trivial", "name", "tokens", "streams", "targets", "floor", "trivial", "name",
          "tokens", "streams", "targets", "floor", "trivial", "level", "vocabulary", "unknown", "fingerprint",
          "command", "file_count", "file_bytes", "empty_files",
        ])
      let info = try decode(Info.self, json)
      let text = try place.output(["data", "info", "tales.h5"])
      for fragment in [
        "tales.h5, format version 1", "\(info.tokens) in \(info.streams) streams", "entropy floor",
        "\(info.vocabulary) chars", info.fingerprint,
        "seqtrain data generate grammar --characters 20000 --seed 1 --output tales.h5",
      ] {
        #expect(text.contains(fragment), "\(text)")
      }
      #expect(info.splits.allSatisfy { (0.3...0.7).contains($0.floor ?? 0) })

      // The same seed gives the same content, another one another.
      try place.makeTales("again.h5")
      try place.makeTales("other.h5", seed: 2)
      func fingerprint(_ name: String) throws -> String {
        try decode(Info.self, try place.output(["data", "info", name, "--json"])).fingerprint
      }
      #expect(try fingerprint("again.h5") == info.fingerprint)
      #expect(try fingerprint("other.h5") != info.fingerprint)
    }
  }

  /// A text that cannot be imported: how it is made and imported, and what is said of it.
  struct BadImport: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var bytes: [UInt8]? = Array("Some text.\n".utf8)
    var options: [String] = []
    let expected: String
  }

  private static let badImports = [
    BadImport(
      testDescription: "invalid UTF-8", bytes: Array("größer\n".utf8) + [0x61, 0xC3, 0x28],
      expected:
        "t.txt: line 2: not valid UTF-8: the bytes at offset 10 are no character; convert the file, or import"
    ),
    BadImport(
      testDescription: "UTF-8 cut short", bytes: [0x61, 0xE2, 0x82], options: ["--level", "word"],
      expected: "t.txt: line 1: not valid UTF-8: the bytes at offset 1 are no character"),
    BadImport(testDescription: "no file", bytes: nil, expected: "t.txt: cannot be opened: No such file"),
    BadImport(testDescription: "no text", bytes: [], expected: "there is no text in t.txt"),
    BadImport(
      testDescription: "too little text", bytes: [0x61, 0x62],
      expected:
        "split validation would be empty: of 2 positions none is left for it; give it a larger part, or more data"
    ),
    BadImport(
      testDescription: "one stream for three parts", options: ["--split-by", "stream"],
      expected: "split train would be empty: of 1 stream none is left for it; "),
    BadImport(
      testDescription: "parts that are not a whole", options: ["--split", "0.9,0.2"],
      expected: "the split is 0.9,0.2, expected two or three parts above 0"),
    BadImport(
      testDescription: "a limit for words", options: ["--level", "byte", "--minimum-count", "2"],
      expected: "a minimum count or maximum size is for characters and words; the level is byte"),
  ]

  @Test(arguments: badImports) func `a bad text is refused`(_ bad: BadImport) throws {
    try Workspace.with { place in
      if let bytes = bad.bytes { try writeBytes(bytes, to: place("t.txt")) }
      let before = try place.entries
      expectRefusal(
        try place.seqtrain(["data", "import", "text", "t.txt", "--output", "d.h5"] + bad.options),
        [bad.expected])
      #expect(try place.entries == before)
    }
  }

  @Test func `pipes of the shell are imported, a FIFO is not`() throws {
    try Workspace.with { place in
      func imported(_ texts: String) throws -> ProcessResult {
        let command = "printf 'second\n' | \"$0\" data import text --output d.h5 --split 0.5,0.5 \(texts)"
        return try runProcess(
          "bash", ["-c", command, try builtProgram("seqtrain")], directory: place.path)
      }
      let result = try imported("<(sleep 0.1; printf 'first\n') /dev/stdin <(printf 'third\n')")
      #expect(result.status == 0, "\(result)")
      #expect(try text("d.h5", in: place) == "first\nsecond\nthird\n")
      unlink(place("d.h5"))
      mkfifo(place("fifo"), 0o644)
      expectRefusal(try imported("fifo"), ["fifo: is a FIFO, not a regular file; text is read from "])
      #expect(try place.entries == ["fifo"])
    }
  }

  @Test func `folders, patterns, compressed files and standard input are imported`() throws {
    try Workspace.with { place in
      for name in ["books", "books/more", "books/.git"] { mkdir(place(name), 0o755) }
      let texts = [
        "books/b.txt": "second\r\n", "books/a.txt": "first\n", "books/more/z.txt": "fourth\n",
        "books/more/c.md": "third\n", "books/.git/x.txt": "hidden\n", "books/.y.txt": "hidden\n",
        "books/empty.txt": "",
      ]
      for (name, text) in texts { try place.write(name, text) }
      symlink("..", place("books/more/up"))
      #expect(try runProcess("gzip", ["books/more/z.txt"], directory: place.path).status == 0)
      func imported(_ arguments: String...) throws -> (text: String, result: ProcessResult) {
        removeTree(place("d.h5"))
        let command = "printf input | \"$0\" data import text --output d.h5 --split 0.5,0.5 \"$@\""
        let result = try runProcess(
          "sh", ["-c", command, try builtProgram("seqtrain")] + arguments, directory: place.path)
        guard result.status == 0 else { return ("", result) }
        return (try text("d.h5", in: place), result)
      }
      let all = try imported("books")
      #expect(all.text == "first\nsecond\r\nthird\nfourth\n", "\(all.result)")
      #expect(all.result.errors.contains("warning: 1 line ending in CR LF"), "\(all.result)")
      #expect(all.result.output.contains(", 1 of them empty"), "\(all.result)")
      let some = try imported("--newlines", "unix", "books/", "--glob", "*.txt*")
      #expect(some.text == "first\nsecond\nfourth\n" && some.result.errors.isEmpty, "\(some.result)")
      #expect(try imported("books/[ab].*", "-", "books/more/c.md").text == "first\nsecond\r\ninputthird\n")
      #expect(try place.entries == ["books", "d.h5"])

      expectRefusal(try imported("-", "-").result, ["standard input (-) is named twice"])
      expectRefusal(try imported("books/*.c").result, ["books/*.c: matches no file"])
      expectRefusal(
        try imported("books", "--glob", "*.c").result, ["books: a folder without files that match *.c"])
      let compressed = try readBytes(place("books/more/z.txt.gz"))
      try writeBytes(compressed.dropLast(9), to: place("books/more/z.txt.gz"))
      expectRefusal(try imported("books").result, ["books/more/z.txt.gz: cannot be inflated: it is damaged"])
      try place.write("books/more/z.txt.gz", "not compressed")
      expectRefusal(try imported("books").result, ["books/more/z.txt.gz: its name ends with .gz, but"])
      #expect(try place.entries == ["books"])
    }
  }

  private struct FileList: Decodable {
    struct File: Decodable { let name: String, bytes: Int }
    let file_count: Int, file_bytes: Int, empty_files: Int, files: [File]?
  }

  @Test func `many files are told in short, and listed where that is asked for`() throws {
    try Workspace.with { place in
      mkdir(place("many"), 0o755)
      let names = (100..<500).map { "many/\($0)" }
      for (index, name) in names.enumerated() { try place.write(name, index % 10 == 0 ? "" : "a text\n") }
      let told = try place.output(["data", "import", "text"] + names + ["--output", "d.h5"])
      let info = ["data", "info", "d.h5"]
      #expect(try place.output(info) == told && told.utf8.count < 2000, "\(told)")
      for fragment in [
        "many/104, 7 bytes\n", "and 395 files more", "400 files, 2520 bytes, 40 of them empty",
      ] {
        #expect(told.contains(fragment), "\(told)")
      }
      let short = try place.output(info + ["--json"])
      let facts = try decode(FileList.self, short)
      #expect(facts.file_count == 400 && facts.file_bytes == 2520 && facts.empty_files == 40)
      #expect(facts.files == nil && short.utf8.count < 2000)
      #expect(
        try decode(FileList.self, try place.output(info + ["--json", "--files"])).files?.map(\.name) == names)
      #expect(try place.output(info + ["--files"]).contains("\nfrom         many/499, 7 bytes\n"))
    }
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `a dataset that is interrupted leaves nothing`(_ number: Int32) throws {
    try Workspace.with { place in
      let process = try RunningProcess(
        try builtProgram("seqtrain"),
        ["data", "generate", "grammar", "--characters", "10000000000", "--output", "d.h5"],
        directory: place.path)
      try #require(process.wait { (try? !place.entries.isEmpty) ?? false })
      process.signal(number)
      #expect(try process.wait().status == 128 + number)
      #expect(try place.entries == [])
    }
  }

  @Test func `what a killed import has left is removed by the next`() throws {
    try Workspace.with { place in
      let process = try RunningProcess(
        try builtProgram("seqtrain"),
        ["data", "generate", "grammar", "--characters", "10000000000", "--output", "tales.h5"],
        directory: place.path)
      try #require(process.wait { (try? !place.entries.isEmpty) ?? false })
      process.signal(SIGKILL)
      _ = try process.wait()
      #expect(try place.entries.count == 1)
      try place.makeTales()
      #expect(try place.entries == ["tales.h5"])
    }
  }

  @Test func `commands that are not there are told from those that are`() throws {
    try Workspace.with { place in
      for (command, expected) in [
        (
          ["import", "csv", "x.csv"],
          "data import csv: there is no such command; after seqtrain data import there is: text"
        ),
        (
          ["make"],
          "data make: there is no such command; after seqtrain data there is: import, generate, info, seal"
        ),
      ] {
        let result = try place.seqtrain(["data"] + command)
        #expect(result.status == 64 && result.errors.contains(expected), "\(result)")
      }
    }
  }

  @Test func `a dataset of another program is sealed and trained on`() throws {
    try Workspace.with { place in
      var raw = RawDataset()
      raw.kind = nil
      try raw.write(place("x.h5"))
      let train =
        ["train", "--run", "run"]
        + set([
          "data.path=x.h5", "model.hidden=4", "model.embedding=2", "training.lanes=2", "training.chunk=8",
          "training.steps=2", "training.shards=2",
        ])
      expectRefusal(
        try place.seqtrain(ranks: 2, train), ["write the attribute \"kind\" by: seqtrain data seal x.h5"])
      #expect(try place.output(["data", "seal", "x.h5"]).contains("600 in 2 streams"))
      try place.output(ranks: 2, train)
      // A fingerprint that is wrong is found by a run too, before anything is written.
      try RawDataset().write(place("y.h5"))
      let other = ["train", "--run", "other"] + train.dropFirst(3) + set(["data.path=y.h5"])
      expectRefusal(
        try place.seqtrain(ranks: 2, other),
        ["y.h5: the content does not have the stated fingerprint (a fingerprint, found ", "data seal y.h5"])
      #expect(try place.entries == ["run", "x.h5", "y.h5"])
    }
  }

  @Test func `what is there already is left alone`() throws {
    try Workspace.with { place in
      try place.write("t.txt", "A text that is long enough to be divided.\n")
      try place.write("d.h5", "mine")
      let commands = [["import", "text", "t.txt"], ["generate", "grammar", "--characters", "20000"]]
      for command in commands {
        expectRefusal(
          try place.seqtrain(["data"] + command + ["--output", "d.h5"]),
          ["d.h5: already exists; remove it or choose another name"])
      }
      #expect(try readBytes(place("d.h5")) == Array("mine".utf8))
      #expect(try place.entries == ["d.h5", "t.txt"])
    }
  }
}
