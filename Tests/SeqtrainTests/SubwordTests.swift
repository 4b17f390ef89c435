import TestSupport
import Testing

/// What users do with models of subwords.
@Suite(.serialized) struct SubwordTests {
  private let settings = set([
    "model.cell=gru", "model.hidden=16", "model.embedding=16", "model.layers=1", "training.lanes=8",
    "training.chunk=16", "training.shards=2", "training.optimizer.learning_rate=0.02",
  ])

  /// A line of words with many endings.
  private func line(_ number: Int) -> String {
    let stems = ["walk", "talk", "play", "größ", "schön", "läuf", "stand", "bring"]
    let endings = ["", "ed", "ing", "s", "er", "erin", "est"]
    return (0...number % 5).map { "\(stems[(number + $0) % 8])\(endings[(number / 3 + $0 * $0) % 7])" }
      .joined(separator: " ")
  }

  private func train(_ run: String, _ data: String, steps: Int) -> [String] {
    ["train", "--run", run] + settings
      + set(["data.path=\(data)", "training.steps=\(steps)", "checkpoint.every=3"])
  }

  @Test func `what a checkpoint holds is enough to read text and to say it`() throws {
    try Workspace.with { place in
      try place.write("a", (0..<300).map { "\(line($0))\n" }.joined())
      try place.write("b", "walking größer\nplayed\n日本 talks\n")
      let info = try place.output([
        "data", "import", "text", "a", "--level", "subword", "--pieces", "300", "--streams", "line",
        "--output", "d.h5",
      ])
      #expect(info.contains("300 subwords, with an unknown token"))
      try place.output(ranks: 2, train("run", "d.h5", steps: 40))
      try place.output(["eval", "run"])

      // Stopped and gone on, on another number of ranks.
      try place.output(ranks: 1, train("again", "d.h5", steps: 3))
      try place.output(ranks: 2, train("again", "d.h5", steps: 40))
      #expect(try place.inspect("again").digest == place.inspect("run").digest)

      removeTree(place("d.h5"))
      let generate = [
        "generate", "run", "--prompt", "talking  größer 日本\nplay", "--length", "40", "--seed", "2",
      ]
      let text = try place.output(generate)
      #expect(text.hasPrefix("talking  größer 日本\nplay"))
      #expect(!text.contains("\u{2581}") && !text.contains("<0x"))
      #expect(try place.output(generate) == text)
      // Other texts, cut as the model knows them.
      try place.output([
        "data", "import", "text", "b", "--level", "subword", "--streams", "line", "--split", "0.5,0.5",
        "--vocabulary",
        "run/checkpoints/best.h5", "--output", "e.h5",
      ])
      try place.output(ranks: 2, ["eval", "run", "--data", "e.h5"])
      expectRefusal(
        try place.seqtrain([
          "data", "import", "text", "b", "--vocabulary", "run/checkpoints/best.h5", "--output", "f.h5",
        ]), ["best.h5: has a vocabulary of subwords, expected chars; say --level subword"])
      try place.output(["predict", "run", "--data", "b", "--output", "p.h5"])
    }
  }

  @Test func `a model of another SentencePiece model's data is refused`() throws {
    try Workspace.with { place in
      for (name, shift) in [("a", 0), ("b", 1)] {
        try place.write(name, (0..<300).map { "\(line($0 * (1 + shift)))\n" }.joined())
        try place.output([
          "data", "import", "text", name, "--level", "subword", "--pieces", "300", "--pieces-by", "bpe",
          "--output",
          "\(name).h5",
        ])
      }
      try place.output(ranks: 1, train("run", "a.h5", steps: 3))
      expectRefusal(
        try place.seqtrain(["eval", "run", "--data", "b.h5"]),
        ["b.h5: not data such as the model was trained on: input: token "])
    }
  }

  @Test func `lines are translated by the models of a checkpoint`() throws {
    try Workspace.with { place in
      try place.write("s", (0..<200).map { "\(line($0))\n" }.joined())
      try place.write("t", (0..<200).map { "\(line($0)) Ende\n" }.joined())
      try place.output([
        "data", "import", "pairs", "s", "t", "--level", "subword", "--pieces", "300", "--shared", "--output",
        "d.h5",
      ])
      try place.output(ranks: 2, train("run", "d.h5", steps: 60))
      try place.output(ranks: 2, ["eval", "run", "--decode"])
      removeTree(place("d.h5"))
      try place.write("in.txt", "walking größer\n\n日本 talks\n")
      let said = try place.output(["translate", "run", "--input", "in.txt", "--beam", "2"])
      let lines = said.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(
        lines.count == 4 && lines[1].isEmpty && !lines[0].isEmpty && !said.contains("\u{2581}"), "\(said)")
      #expect(lines[0].first != " ")
    }
  }

  @Test func `an import prints nothing but what it has made, or one error`() throws {
    try Workspace.with { place in
      try place.write("a", (0..<100).map { "\(line($0))\n" }.joined())
      let command = ["data", "import", "text", "a", "--level", "subword", "--output", "d.h5"]
      let made = try place.seqtrain(command + ["--pieces", "290"])
      #expect(made.status == 0 && made.errors.isEmpty && made.output.hasPrefix("dataset "), "\(made)")
      removeTree(place("d.h5"))
      let refused = try place.seqtrain(command)
      expectRefusal(refused, ["--pieces is 8000, but the training part gives no more than "])
      #expect(refused.output.isEmpty && refused.errors.split(separator: "\n").count == 1, "\(refused)")
      let mistaken = try place.seqtrain(command + ["--pieces-by", "wordpiece"])
      #expect(mistaken.status == 64 && mistaken.errors.contains("unigram"), "\(mistaken)")
      #expect(try place.entries == ["a"])
    }
  }
}
