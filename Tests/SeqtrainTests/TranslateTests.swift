import HDF5
import TestSupport
import Testing

/// What users do with models of pairs.
@Suite(.serialized) struct TranslateTests {
  private let settings = set([
    "model.cell=gru", "model.hidden=8", "model.embedding=8", "model.layers=1", "training.lanes=8",
    "training.steps=4", "training.chunk=16",
  ])

  /// Lends a run on words to be spelt backwards.
  private func withRun(_ body: (Workspace) throws -> Void) throws {
    try Workspace.with { place in
      try place.output([
        "data", "generate", "reverse", "--streams", "200", "--shortest", "2", "--longest", "6", "--output",
        "d.h5",
      ])
      try place.output(ranks: 2, ["train", "--run", "run", "--set", "data.path=d.h5"] + settings)
      try place.write("in.txt", "abc\n\nzyxw\nb\n")
      try body(place)
    }
  }

  private struct DecodingScores: Decodable {
    let bleu: Double, chrf: Double, exact_match: Double, edit_rate: Double, signatures: [String]
  }

  /// What is measured is what `translate` says, on any number of ranks.
  @Test func `an evaluation says targets as a translation does, and scores them`() throws {
    try Workspace.with { place in
      let words = (0..<40).map { number in
        (0...number % 4).map { ["a", "b", "c"][(number / (1 + $0)) % 3] }.joined()
      }
      try place.write("train.tsv", words.map { "\($0)\t\($0)\n" }.joined())
      try place.write("test.tsv", words.reversed().dropFirst(3).map { "\($0)\t\($0)\n" }.joined())
      try place.output([
        "data", "import", "pairs", "--train", "train.tsv", "--validation", "test.tsv", "--level", "char",
        "--shared",
        "--output", "d.h5",
      ])
      let learning = set(["data.path=d.h5", "training.steps=60", "training.optimizer.learning_rate=0.02"])
      try place.output(ranks: 1, ["train", "--run", "run"] + settings + learning)
      try place.write("in.txt", words.reversed().dropFirst(3).map { "\($0)\n" }.joined())
      let said = try place.output(["translate", "run", "--input", "in.txt"])
        .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
      let wanted = Array(words.reversed().dropFirst(3))
      let exact = zip(said, wanted).count { $0 == $1 }

      let outputs = try [1, 2, 3].map {
        try place.output(ranks: $0, ["eval", "run", "--decode", "--json", "--split", "validation"])
      }
      #expect(Set(outputs).count == 1)
      let scores = try decode(DecodingScores.self, outputs[0])
      #expect(said.count == wanted.count && scores.exact_match == Double(exact) / Double(wanted.count))
      #expect(exact > 0 && exact < wanted.count && scores.edit_rate > 0 && scores.edit_rate < 1)
      #expect(scores.chrf > 0 && scores.chrf < 100 && scores.signatures.count == 2)
      let shown = try place.output(["eval", "run", "--decode", "--beam", "3"])
      for title in ["loss", "BLEU  ", "chrF2  ", "exact match", "edits a token", "sacreBLEU, nrefs:1"] {
        #expect(shown.contains(title), "\(shown)")
      }
    }
  }

  @Test func `sources of frames are decoded on any number of ranks`() throws {
    try Workspace.with { place in
      try place.output(["data", "generate", "grid-captions", "--streams", "60", "--output", "d.h5"])
      try place.output(ranks: 2, ["train", "--run", "run", "--set", "data.path=d.h5"] + settings)
      let outputs = try [1, 3].map { try place.output(ranks: $0, ["eval", "run", "--decode", "--json"]) }
      #expect(outputs[0] == outputs[1])
      #expect(try decode(DecodingScores.self, outputs[0]).edit_rate > 0)
    }
  }

  @Test func `only models of pairs are decoded`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run", "--set", "data.path=tales.h5"] + settings)
      expectRefusal(try place.seqtrain(["eval", "run", "--decode"]), ["--decode is for models of pairs"])
      let beam = try place.seqtrain(["eval", "run", "--beam", "2"])
      #expect(beam.status == 64 && beam.errors.contains("--beam is for --decode"), "\(beam)")
    }
  }

  @Test func `lines are translated in order, an empty one to an empty one`() throws {
    try withRun { place in
      let translate = ["translate", "run", "--input", "in.txt", "--max-length", "5"]
      let greedy = try place.output(translate)
      #expect(greedy.split(separator: "\n", omittingEmptySubsequences: false).count == 5)
      #expect(
        greedy.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().first?.isEmpty == true)
      #expect(try place.output(translate + ["--beam", "1", "--n-best", "1"]) == greedy)
      #expect(try place.output(translate + ["--sample", "--temperature", "0"]) == greedy)
      #expect(try place.output(translate + ["--output", "out.txt"]).isEmpty)
      #expect(try readBytes(place("out.txt")) == Array(greedy.utf8))
      expectRefusal(try place.seqtrain(translate + ["--output", "out.txt"]), ["out.txt: already exists"])

      let best = try place.output(translate + ["--beam", "3", "--n-best", "2"])
      let rows = best.split(separator: "\n", omittingEmptySubsequences: false)
      let numbers = rows.compactMap { $0.split(separator: "\t").first }.map { String($0) }
      #expect(numbers == ["1", "1", "3", "3", "4", "4"])
      #expect(rows.allSatisfy { $0.isEmpty || $0.count { $0 == "\t" } == 2 })
      let drawn = try place.output(translate + ["--sample", "--seed", "3"])
      #expect(try place.output(translate + ["--sample", "--seed", "3"]) == drawn)
    }
  }

  @Test func `models of bytes write a line for each line too`() throws {
    try Workspace.with { place in
      try place.write("train.tsv", String(repeating: "ab\tcd\n", count: 40))
      try place.output(["data", "import", "pairs", "train.tsv", "--level", "byte", "--output", "d.h5"])
      try place.output(
        ["train", "--run", "run", "--data", "d.h5"] + settings
          + set(["training.steps=1", "training.lanes=2"])
      )
      try place.write("in.txt", String(repeating: "ab\n", count: 20))
      let result = try runProcess(
        "sh", ["-c", "\"$0\" translate run --input in.txt --sample | wc -l", try builtProgram("seqtrain")],
        directory: place.path)
      #expect(result.output == "20\n", "\(result)")
    }
  }

  @Test func `a line of very many tokens does not take the memory of many lines`() throws {
    try withRun { place in
      try place.write("long.txt", String(repeating: "ab", count: 100_000) + "\nabc\n")
      let limited = ["-c", "ulimit -v 1000000; exec \"$@\"", "bash", try builtProgram("seqtrain")]
      let translate = ["translate", "run", "--max-length", "5", "--input"]
      let result = try runProcess("bash", limited + translate + ["long.txt"], directory: place.path)
      #expect(result.status == 0, "\(result)")
      let alone = try place.output(translate + ["in.txt"]).split(
        separator: "\n", omittingEmptySubsequences: false)
      #expect(
        result.output.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().first
          == alone.first)
    }
  }

  @Test func `lines are the same bytes on any number of ranks`() throws {
    try withRun { place in
      let letters = "abcdefghijklmnopqrstuvwxyz".map { String($0) }
      let words = (0..<90).map { (number: Int) -> String in
        let length = number * 7 % 9
        return (3..<3 + length).map { letters[(number * $0) % 26] }.joined()
      }
      try place.write("words.txt", words.map { "\($0)\n" }.joined())
      for options in [[], ["--beam", "3", "--n-best", "2", "--length-penalty", "0.5"], ["--sample"]] {
        let translate = ["translate", "run", "--input", "words.txt", "--max-length", "8"] + options
        let alone = try place.output(translate)
        #expect(alone.split(separator: "\n").count > 50)
        for ranks in [2, 3] { #expect(try place.output(ranks: ranks, translate) == alone) }
        let file = "out\(options.count).txt"
        #expect(try place.output(ranks: 2, translate + ["--output", file]).isEmpty)
        #expect(try readBytes(place(file)) == Array(alone.utf8))
      }
      // More ranks than lines.
      try place.write("few.txt", "ab\n\n")
      let few = ["translate", "run", "--input", "few.txt", "--max-length", "3"]
      #expect(try place.output(ranks: 4, few) == place.output(few))
      try place.write("none.txt", "")
      #expect(try place.output(ranks: 2, ["translate", "run", "--input", "none.txt"]).isEmpty)
    }
  }

  @Test func `the sources of a dataset are translated as their lines are`() throws {
    try withRun { place in
      let file = try File.open(place("d.h5"))
      let (tokens, offsets) = try (
        file.dataset("source/values").readArray(of: Int.self),
        file.dataset("source/offsets").readArray(of: Int.self)
      )
      let lines = zip(offsets, offsets.dropFirst()).map { first, end in
        String(tokens[first..<end].map { Character(Unicode.Scalar(UInt8(97 + $0))) })
      }
      try place.write("lines.txt", lines.map { "\($0)\n" }.joined())
      let translate = ["translate", "run", "--max-length", "6"]
      let all = try place.output(translate + ["--input", "lines.txt"])
      #expect(try place.output(ranks: 2, translate + ["--data", "d.h5"]) == all)
      let split = try file.dataset("splits/validation").readArray(of: Int.self)
      let starts = try file.dataset("offsets").readArray(of: Int.self)
      let (first, end) = try (
        #require(starts.firstIndex(of: split[0])), #require(starts.firstIndex(of: split[1]))
      )
      #expect(
        try place.output(translate + ["--data", "d.h5", "--split", "validation"])
          == all.split(separator: "\n", omittingEmptySubsequences: false)[first..<end].map { "\($0)\n" }
          .joined())
    }
  }

  @Test func `sources of frames are translated on any number of ranks, each by itself`() throws {
    try Workspace.with { place in
      try place.output(["data", "generate", "grid-captions", "--streams", "60", "--output", "d.h5"])
      try place.output(ranks: 2, ["train", "--run", "run", "--set", "data.path=d.h5"] + settings)
      let translate = ["translate", "run", "--data", "d.h5", "--max-length", "7", "--beam", "2"]
      let all = try place.output(translate)
      #expect(all.split(separator: "\n", omittingEmptySubsequences: false).count == 61)
      #expect(try place.output(ranks: 3, translate) == all)
      #expect(all.hasPrefix(try place.output(translate + ["--split", "train"])))
      try place.write("in.txt", "red square\n")
      expectRefusal(
        try place.seqtrain(["translate", "run", "--input", "in.txt"]),
        ["the model reads frames of 29 columns", "name a dataset of sources by --data"])
    }
  }

  @Test func `datasets without such sources are refused, once for all ranks`() throws {
    try withRun { place in
      try place.makeTales()
      try place.output(["data", "generate", "grid-captions", "--streams", "20", "--output", "grid.h5"])
      for (options, message) in [
        (["--data", "tales.h5"], "tales.h5: its streams are no pairs"),
        (["--data", "grid.h5"], "grid.h5: not sources such as the model reads: it is frames of 29 columns"),
        (["--data", "d.h5", "--split", "later"], "there is no split \"later\""),
        (["--input", "missing.txt"], "missing.txt: cannot be opened"),
      ] {
        expectRefusal(try place.seqtrain(ranks: 2, ["translate", "run"] + options), [message])
      }
      for options in [["--input", "in.txt", "--data", "d.h5"], ["--split", "train"]] {
        #expect(try place.seqtrain(["translate", "run"] + options).status == 64)
      }
    }
  }

  private struct Alignment: Decodable {
    struct Pair: Decodable {
      let number: Int, source: [String]?, positions: Int?, grid: [Int]?, target: [String], weights: [[Float]]
    }
    let kind: String, format_version: Int, step: Int, pairs: [Pair]
  }

  private func alignment(_ path: String) throws -> Alignment {
    try decode(Alignment.self, String(decoding: readBytes(path), as: UTF8.self))
  }

  @Test func `attention is written for each token, in JSON and HDF5 alike, on any ranks and of any beam`()
    throws
  {
    try withRun { place in
      for beam in ["1", "3"] {
        let translate = [
          "translate", "run", "--input", "in.txt", "--max-length", "5", "--beam", beam, "--alignment",
        ]
        let said = try place.output(translate + ["one\(beam).json"]).split(
          separator: "\n", omittingEmptySubsequences: false)
        try place.output(ranks: 2, translate + ["two\(beam).json"])
        #expect(try readBytes(place("one\(beam).json")) == readBytes(place("two\(beam).json")))
        let found = try alignment(place("one\(beam).json"))
        #expect(found.kind == "alignment" && found.format_version == 1 && found.step == 4)
        #expect(found.pairs.map(\.number) == [1, 3, 4])
        #expect(found.pairs.map(\.source) == [["a", "b", "c"], ["z", "y", "x", "w"], ["b"]])
        for pair in found.pairs {
          #expect(pair.target.filter { $0 != "<end>" }.joined() == said[pair.number - 1])
          #expect(pair.weights.count == pair.target.count && !pair.target.isEmpty)
          for row in pair.weights {
            #expect(row.count == pair.source?.count && abs(row.reduce(0, +) - 1) < 1e-5)
          }
        }

        try place.output(ranks: 2, translate + ["a\(beam).h5"])
        let file = try File.open(place("a\(beam).h5"))
        #expect(try file.attributes.string("kind") == "alignment")
        #expect(try file.dataset("number").readArray(of: Int.self) == [1, 3, 4])
        #expect(
          try file.dataset("weights/values").readArray(of: Float.self)
            == Array(found.pairs.flatMap(\.weights).joined()))
        #expect(try file.dataset("source/values").readArray(of: Int.self) == [0, 1, 2, 25, 24, 23, 22, 1])
        #expect(try file.dataset("source/offsets").readArray(of: Int.self) == [0, 3, 7, 8])
        let spellings = try file.dataset("target/vocabulary").readStrings()
        let tokens = try file.dataset("target/values").readArray(of: Int.self)
        #expect(tokens.map { spellings[$0] } == found.pairs.flatMap(\.target))
        let ends = try file.dataset("weights/offsets").readArray(of: Int.self)
        #expect(
          zip(ends, ends.dropFirst()).map { $1 - $0 }
            == found.pairs.map { $0.target.count * ($0.source?.count ?? 0) })
        let shown = try place.output(["inspect", "a\(beam).h5"])
        #expect(shown.hasPrefix("alignment   a\(beam).h5\n") && shown.contains("in 3 targets"), "\(shown)")
      }
    }
  }

  @Test func `pictures of attention have the tokens on both sides, whatever these are`() throws {
    try Workspace.with { place in
      let texts = ["a<b", "b&a", "<a b", "ab&", "b b", "a"]
      try place.write("train.tsv", texts.map { "\($0)\t\($0)\n" }.joined())
      try place.output([
        "data", "import", "pairs", "--train", "train.tsv", "--validation", "train.tsv", "--level", "char",
        "--output", "d.h5",
      ])
      try place.output(
        ["train", "--run", "run", "--set", "data.path=d.h5"] + settings + ["--set", "training.lanes=4"])
      try place.write("in.txt", "<a b\n\nb&\n")
      let translate = ["translate", "run", "--input", "in.txt", "--max-length", "3", "--heatmap", "pictures"]
      try place.output(ranks: 2, translate + ["--alignment", "a.json"])
      #expect(try directoryEntries(place("pictures")).sorted() == ["000001.svg", "000003.svg"])
      let pairs = try alignment(place("a.json")).pairs
      for (name, pair, source) in [
        ("000001.svg", pairs[0], ["&lt;", "a", "\u{2423}", "b"]), ("000003.svg", pairs[1], ["b", "&amp;"]),
      ] {
        let svg = String(decoding: try readBytes(place("pictures/\(name)")), as: UTF8.self)
        #expect(svg.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && svg.hasSuffix("</svg>\n"))
        let labels = svg.matches(of: /<text [^>]*>([^<]*)<\/text>/).map { String($0.1) }
        #expect(
          labels.count == source.count + pair.target.count && Array(labels.prefix(source.count)) == source)
        let cells = svg.matches(of: /fill-opacity="([0-9.]+)"/).compactMap { Float($0.1) }
        let weights = pair.weights.joined().filter { $0 >= 0.005 }
        #expect(cells.count == weights.count && zip(cells, weights).allSatisfy { abs($0 - $1) < 0.001 })
      }
      expectRefusal(try place.seqtrain(translate), ["pictures: already exists, and is no empty directory"])
    }
  }

  @Test func `pictures of attention to pictures show their grid for each token`() throws {
    try Workspace.with { place in
      try place.output([
        "data", "generate", "grid-captions", "--streams", "40", "--side", "3", "--output", "d.h5",
      ])
      try place.output(["train", "--run", "run", "--set", "data.path=d.h5"] + settings)
      try place.output([
        "translate", "run", "--data", "d.h5", "--split", "validation", "--max-length", "4", "--heatmap",
        "pictures", "--alignment", "a.json",
      ])
      let pairs = try alignment(place("a.json")).pairs
      #expect(
        !pairs.isEmpty && pairs.allSatisfy { $0.grid == [3, 3] && $0.positions == 9 && $0.source == nil })
      #expect(try directoryEntries(place("pictures")).count == pairs.count)
      let svg = String(decoding: try readBytes(place("pictures/000001.svg")), as: UTF8.self)
      #expect(svg.matches(of: /fill="none"/).count == pairs[0].target.count)
      #expect(svg.matches(of: /<text x/).count == pairs[0].target.count)
      #expect(
        svg.matches(of: /fill-opacity/).count == pairs[0].weights.joined().count { $0 >= 0.005 })
    }
  }

  @Test func `attention that isn't there, or can't be written, is refused`() throws {
    try withRun { place in
      let translate = ["translate", "run", "--input", "in.txt"]
      let wrong = try place.seqtrain(translate + ["--alignment", "a.txt"])
      #expect(wrong.status == 64 && wrong.errors.contains("a name that ends in .json or .h5"), "\(wrong)")
      try place.write("a.json", "")
      expectRefusal(
        try place.seqtrain(ranks: 2, translate + ["--alignment", "a.json"]), ["a.json: already exists"])
      try place.output(
        ["train", "--run", "deaf", "--set", "data.path=d.h5", "--set", "model.attention.score=none"]
          + settings)
      for option in ["--alignment=b.h5", "--heatmap=pictures"] {
        expectRefusal(
          try place.seqtrain(ranks: 2, ["translate", "deaf", "--input", "in.txt", option]),
          ["deaf: the model attends to nothing"])
      }
      #expect(try !place.entries.contains("b.h5") && !place.entries.contains("pictures"))
    }
  }

  private struct AttentionMeasures: Decodable {
    let alignment_mass: Double?, coverage: Double?
  }

  @Test func `an evaluation measures attention against what the data state`() throws {
    try Workspace.with { place in
      func measures(_ run: String, ranks: Int = 1) throws -> AttentionMeasures {
        let json = try place.output(ranks: ranks, ["eval", run, "--decode", "--json"])
        return try decode(AttentionMeasures.self, json)
      }
      for (name, length) in [("one", "1"), ("many", "6")] {
        try place.output([
          "data", "generate", "reverse", "--streams", "200", "--shortest", "1", "--longest", length,
          "--output",
          "\(name).h5",
        ])
        try place.output(["train", "--run", name, "--set", "data.path=\(name).h5"] + settings)
      }
      // Of sources of one position, all attention is on it.
      let one = try measures("one")
      let whole = try (#require(one.alignment_mass), #require(one.coverage))
      #expect(abs(whole.0 - 1) < 1e-6 && abs(whole.1 - 1) < 1e-6)
      let many = try measures("many")
      let mass = try #require(many.alignment_mass)
      #expect(mass > 0.1 && mass < 0.9)
      let other = try measures("many", ranks: 3)
      #expect(other.alignment_mass == many.alignment_mass && other.coverage == many.coverage)
      #expect(try place.output(["eval", "many", "--decode"]).contains("attention as stated"))

      try place.output(
        ["train", "--run", "deaf", "--set", "data.path=many.h5", "--set", "model.attention.score=none"]
          + settings)
      let deaf = try measures("deaf")
      #expect(deaf.alignment_mass == nil && deaf.coverage == nil)

      try File.changeAtomically(place("many.h5")) { file in
        let alignment = try file.dataset("alignment")
        try alignment.write(alignment.readArray(of: Int32.self).map { $0 + 9 })
      }
      expectRefusal(
        try place.seqtrain(ranks: 2, ["eval", "many", "--decode"]),
        ["many.h5: /alignment says of position", "expected -1 (none) to"])
    }
  }

  @Test func `what can't be translated is refused`() throws {
    try withRun { place in
      for (options, message) in [
        (["--beam", "0"], "--beam 0: expected 1 to 4096"),
        (["--n-best", "2"], "--n-best 2: expected 1 to 1, the beam"),
        (["--sample", "--beam", "2"], "leave out --beam 2"),
        (["--top-k", "2"], "are for --sample"),
        (["--max-length", "0"], "--max-length 0: expected"),
        (["--output", "o.h5", "--alignment", "o.h5"], "--output and --alignment are both o.h5"),
      ] {
        let result = try place.seqtrain(["translate", "run", "--input", "in.txt"] + options)
        #expect(result.status == 64 && result.errors.contains(message), "\(result)")
      }
      try place.write("unknown.txt", "abc\na1\n")
      expectRefusal(
        try place.seqtrain(["translate", "run", "--input", "unknown.txt"]),
        ["unknown.txt: line 2: \"1\" is not in the vocabulary"])
      expectRefusal(
        try place.seqtrain(["generate", "run"]), ["the model reads pairs; seqtrain translate says"])
      try place.makeTales()
      try place.output(["train", "--run", "tales", "--data", "tales.h5"] + settings)
      expectRefusal(
        try place.seqtrain(["translate", "tales", "--input", "in.txt"]),
        ["not pairs; only models of pairs translate"])
    }
  }

  @Test func `settings of pairs are refused where data are none, and decoders that can't be`() throws {
    try withRun { place in
      try place.makeTales()
      expectRefusal(
        try place.seqtrain(
          ["train", "--run", "other", "--data", "tales.h5", "--set", "model.attention.score=additive"]
            + settings),
        ["model.attention.score is for pairs"])
      expectRefusal(
        try place.seqtrain(
          ["train", "--run", "other", "--set", "data.path=d.h5"] + settings + ["--set", "model.cell=conv"]),
        ["model.cell conv: a decoder of other layers than", "found model.residual false"])
      let blocks =
        ["train", "--run", "other", "--set", "data.path=d.h5"] + settings + [
          "--set", "model.cell=attention", "--set", "model.residual=true", "--set", "model.embedding=12",
          "--set", "model.hidden=12", "--set", "model.attention.heads=2",
        ]
      expectRefusal(
        try place.seqtrain(blocks + ["--set", "model.attention.score=general"]),
        ["model.attention.score is for decoders of rnn", "leave it out"])
      expectRefusal(
        try place.seqtrain(
          blocks + set(["model.cell=gru", "model.decoder=mamba", "model.attention.heads=5"])),
        ["model.attention.heads 5 cuts a width of 12"])
      try place.output(
        ["train", "--run", "mixed", "--set", "data.path=d.h5"] + settings
          + ["--set", "model.cell=conv", "--set", "model.decoder=gru"])
    }
  }
}
