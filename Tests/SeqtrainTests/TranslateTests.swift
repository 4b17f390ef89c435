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

  @Test func `what can't be translated is refused`() throws {
    try withRun { place in
      for (options, message) in [
        (["--beam", "0"], "--beam 0: expected 1 to 4096"),
        (["--n-best", "2"], "--n-best 2: expected 1 to 1, the beam"),
        (["--sample", "--beam", "2"], "leave out --beam 2"),
        (["--top-k", "2"], "are for --sample"),
        (["--max-length", "0"], "--max-length 0: expected"),
      ] {
        let result = try place.seqtrain(["translate", "run", "--input", "in.txt"] + options)
        #expect(result.status == 64 && result.errors.contains(message), "\(result)")
      }
      try place.write("unknown.txt", "abc\na1\n")
      expectRefusal(
        try place.seqtrain(["translate", "run", "--input", "unknown.txt"]),
        ["unknown.txt: line 2: \"1\" is not in the vocabulary"])
      try place.makeTales()
      try place.output(["train", "--run", "tales", "--data", "tales.h5"] + settings)
      expectRefusal(
        try place.seqtrain(["translate", "tales", "--input", "in.txt"]),
        ["not pairs; only models of pairs translate"])
    }
  }

  @Test func `settings of pairs are refused where data are none, and decoders that are not recurrent`() throws
  {
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
        ["model.cell: a decoder of pairs has layers of", "set model.decoder"])
      try place.output(
        ["train", "--run", "mixed", "--set", "data.path=d.h5"] + settings
          + ["--set", "model.cell=conv", "--set", "model.decoder=gru"])
    }
  }
}
