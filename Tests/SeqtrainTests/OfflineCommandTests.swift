import Glibc
import HDF5
import TestSupport
import Testing

/// What is done with a run afterwards: eval, generate, inspect; and settings and bench, which need none.
@Suite(.serialized) struct OfflineCommandTests {
  private let settings = set([
    "model.hidden=24", "model.embedding=8", "model.layers=1", "training.lanes=8", "training.chunk=16",
    "training.steps=20", "evaluation.every=10", "training.optimizer.learning_rate=0.01",
  ])

  /// Lends a run on a text of many lines.
  private func withRun(_ body: (Workspace) throws -> Void) throws {
    try Workspace.with { place in
      let lines = (0..<200).map { "line \($0) of \($0 * $0 % 17) and \($0 % 7)\n" }
      try place.write("t.txt", lines.joined())
      try place.output(["data", "import", "text", "t.txt", "--streams", "line", "--output", "d.h5"])
      try place.output(ranks: 2, ["train", "--run", "run", "--set", "data.path=d.h5"] + settings)
      try body(place)
    }
  }

  private struct Measures: Decodable {
    let loss: Double, perplexity: Double, accuracy: Double, targets: Int
  }

  @Test func `an evaluation is the same on any ranks, and written by stream`() throws {
    try withRun { place in
      let eval = ["eval", "run", "--split", "validation", "--json"]
      let first = try place.output(ranks: 1, eval)
      #expect(
        keys(first) == [
          "checkpoint", "step", "dataset", "fingerprint", "split", "mode", "lanes", "loss", "perplexity",
          "bits_per_target", "accuracy", "targets", "floor", "excess", "passed_over",
        ])
      #expect(
        first.contains(#""step":20,"dataset":"d.h5","#) && first.contains(#""floor":null,"excess":null"#))
      for ranks in [2, 3] { #expect(try place.output(ranks: ranks, eval) == first) }
      let measures = try decode(Measures.self, first)
      #expect(abs(measures.perplexity - exp(measures.loss)) < 1e-9 * measures.perplexity)

      // The last validation of the run measured the same weights.
      let rows = String(decoding: try readBytes(place("run/metrics.jsonl")), as: UTF8.self)
      let validation = try #require(rows.matches(of: /"kind":"validation".*"loss":([0-9.]+)/).last?.1)
      #expect(abs(try #require(Double(validation)) - measures.loss) < 1e-6)

      #expect(try place.output(ranks: 2, eval + ["--output", "e.h5", "--states"]) == first)
      let file = try File.open(place("e.h5"))
      #expect(
        try file.attributes.string("kind") == "evaluation" && file.attributes.string("split") == "validation")
      let loss = try file.dataset("streams/loss").readArray(of: Double.self)
      let targets = try file.dataset("streams/targets").readArray(of: Int.self)
      #expect(targets.reduce(0, +) == measures.targets && loss.count == targets.count && loss.count > 5)
      let mean = loss.reduce(0, +) / Double(measures.targets)
      #expect(abs(mean - measures.loss) < 1e-9)
      #expect(try file.dataset("targets/loss").shape == [measures.targets])
      #expect(try file.dataset("hidden").shape == [measures.targets, 24])
      let states = try file.dataset("hidden").readArray(of: Float.self)
      #expect(states.allSatisfy { abs($0) < 1 } && Set(states).count > 100)

      let text = try place.output(ranks: 2, ["eval", "run", "--best"])
      #expect(text.contains("d.h5, split test\n") && text.contains("nats a target"))
      #expect(try place.output(["inspect", "e.h5", "--json"]).hasPrefix("{\"kind\":\"evaluation\","))
      let shown = try place.output(["inspect", "e.h5"])
      #expect(shown.hasPrefix("evaluation     e.h5\ncheckpoint     run/checkpoints/step-000000"), "\(shown)")
      expectRefusal(
        try place.seqtrain(ranks: 2, eval + ["--output", "e.h5"]), ["e.h5: already exists; remove it"])
    }
  }

  private struct Excess: Decodable {
    let loss: Double, floor: Double, excess: Double
  }

  @Test func `an evaluation tells how far the loss is above the floor`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run", "--data", "tales.h5"] + settings)
      let found = try decode(Excess.self, place.output(["eval", "run", "--json"]))
      #expect(found.floor > 0 && abs(found.loss / found.floor - 1 - found.excess) < 1e-12)
      let percent = try #require(
        try place.output(["eval", "run"]).firstMatch(of: /lowest loss +[0-9.]+; ([0-9.]+) % above it/)?.1)
      #expect(abs(try #require(Double(percent)) - 100 * found.excess) < 0.006)
    }
  }

  @Test func `a text is continued`() throws {
    try withRun { place in
      func generate(_ arguments: String...) throws -> String {
        try place.output(["generate", "run"] + arguments)
      }
      let text = try generate("--prompt", "line 1", "--length", "60", "--seed", "5")
      #expect(text.hasPrefix("line 1") && text.unicodeScalars.count == 6 + 60 + 1)
      #expect(try generate("--prompt", "line 1", "--length", "60", "--seed", "5") == text)
      #expect(try generate("--prompt", "line 1", "--length", "60", "--seed", "6") != text)
      // On several ranks it is done once.
      #expect(
        try place.output(
          ranks: 2, ["generate", "run", "--prompt", "line 1", "--length", "60", "--seed", "5"])
          == text)
      let alphabet = Set("line 0123456789of and\n")
      #expect(text.allSatisfy(alphabet.contains))

      let greedy = try generate("--prompt", "l", "--top-k", "1", "--seed", "1")
      #expect(try generate("--prompt", "l", "--top-k", "1", "--seed", "2") == greedy)
      #expect(try generate("--prompt", "l", "--temperature", "0") == greedy)
      #expect(try generate("--prompt", "l", "--top-p", "0.000001") == greedy)
      #expect(greedy.unicodeScalars.count == 1 + 500 + 1)
      #expect(try generate("--length", "0", "--prompt", "of") == "of\n")
      // What begins as an option does is a prompt all the same.
      expectRefusal(
        try place.seqtrain(["generate", "run", "--prompt", "-l"]), ["--prompt: \"-\", token 0 of the text"])

      expectRefusal(
        try place.seqtrain(ranks: 2, ["generate", "run", "--prompt", "line Ω"]),
        [
          "--prompt: \"Ω\", token 5 of the text, is not in the vocabulary of 20 chars, which are "
            + "\"\\n 0123456789adefilno\""
        ])
    }
  }

  @Test func `a prompt is read from a file or standard input`() throws {
    try withRun { place in
      let prompt = (0..<30).map { "line \($0)\n" }.joined() + "line "
      let options = ["--length", "40", "--top-k", "3"]
      let expected = try place.output(["generate", "run", "--prompt", prompt] + options)
      #expect(expected.hasPrefix(prompt) && expected.unicodeScalars.count == prompt.unicodeScalars.count + 41)
      try place.write("p.txt", prompt)
      #expect(try place.output(["generate", "run", "--prompt-file", "p.txt"] + options) == expected)
      let command = "exec \"$0\" generate run --prompt-file - \"$@\" <p.txt"
      let piped = try runProcess(
        "sh", ["-c", command, try builtProgram("seqtrain")] + options, directory: place.path)
      #expect(piped.status == 0 && piped.output == expected, "\(piped)")
      try place.write("q.txt", "line Ω")
      expectRefusal(
        try place.seqtrain(["generate", "run", "--prompt-file", "q.txt"]),
        ["q.txt: \"Ω\", token 5 of the text, is not in the vocabulary of 20 chars, which are "])
      #expect(
        try place.seqtrain(["generate", "run", "--prompt-file", "q.txt", "--prompt", "line"]).status == 64)
    }
  }

  @Test func `text appears as it is drawn`() throws {
    try withRun { place in
      let process = try RunningProcess(
        try builtProgram("seqtrain"), ["generate", "run", "--prompt", "line", "--length", "1000000000"],
        directory: place.path)
      #expect(process.wait { (try? process.outputSoFar().utf8.count > 1000) ?? false })
      process.signal(SIGKILL)
      #expect(try process.wait().output.hasPrefix("line"))
      // Nothing is drawn for a reader that has seen enough.
      let command = "\"$0\" generate run --length 1000000000 | head -c 9"
      let result = try runProcess("sh", ["-c", command, try builtProgram("seqtrain")], directory: place.path)
      #expect(result.status == 0 && result.output.utf8.count == 9 && result.errors.isEmpty, "\(result)")
    }
  }

  @Test func `a model of bytes writes them as they are`() throws {
    try Workspace.with { place in
      try place.write("t.txt", (0..<200).map { "größer \($0)\n" }.joined())
      try place.output(["data", "import", "text", "t.txt", "--level", "byte", "--output", "d.h5"])
      try place.output(ranks: 2, ["train", "--run", "run", "--set", "data.path=d.h5"] + settings)
      let command = "exec \"$0\" generate run --temperature 100 --length 2000 --prompt ö >out"
      let result = try runProcess("sh", ["-c", command, try builtProgram("seqtrain")], directory: place.path)
      let bytes = try readBytes(place("out"))
      #expect(result.status == 0 && bytes.count == 2 + 2000 + 1, "\(result)")
      #expect(Set(bytes).count > 200)
    }
  }

  @Test func `a run, a checkpoint and a dataset are shown`() throws {
    try withRun { place in
      let json = try place.output(["inspect", "run", "--json"])
      #expect(
        Set(keys(json)).isSuperset(of: [
          "kind", "format_version", "step", "epoch", "parameters", "digest", "checkpoint", "best_loss",
          "best_step",
          "model", "optimizer", "dataset", "dataset_path", "fingerprint", "level", "vocabulary", "unknown",
          "parameter_shapes", "passed_over",
        ]))
      for fragment in [
        #""cell":"lstm","layers":1,"hidden":24,"embedding":8"#,
        #"{"name":"rnn.weight_hh_l0","shape":[96,24],"rate_factor":1.0,"weight_decay":0.0}"#,
        #""optimizer":"adam","dataset":"d.h5","dataset_path":"d.h5","#, #""level":"char","vocabulary":20,"#,
        #""passed_over":[]}"#,
      ] {
        #expect(json.contains(fragment), "\(json)")
      }
      let facts = try place.inspect("run")
      // 20 x 8 embedding, 4 x 24 x (8 + 24 + 2) recurrent, 20 x (24 + 1) head.
      #expect(facts.kind == "checkpoint" && facts.step == 20 && facts.parameters == 3924)
      #expect(facts.digest.count == 64 && facts.digest.allSatisfy { $0.isHexDigit })
      #expect(try place.output(["inspect", "run/checkpoints/step-00000020.h5", "--json"]) == json)
      let text = try place.output(["inspect", "run"])
      for fragment in ["20, in epoch", "lstm 1 x 24", "rnn.weight_hh_l0", "96 x 24", facts.digest] {
        #expect(text.contains(fragment), "\(text)")
      }
      for format in [[], ["--json"]] {
        #expect(
          try place.output(["inspect", "d.h5"] + format) == place.output(["data", "info", "d.h5"] + format))
      }
    }
  }

  @Test func `the settings that are printed are a file to begin with`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let yaml = try place.output(["settings"])
      for key in ["data:", "model:", "training:", "checkpoint:", "evaluation:", "learning_rate:"] {
        #expect(yaml.contains(key))
      }
      try place.write("small.yaml", yaml)
      // The run takes its name from the file, and keeps all settings, resolved.
      try place.output(
        ranks: 2, ["train", "small.yaml"] + settings + set(["data.path=tales.h5", "training.shards=4"]))
      let saved = String(decoding: try readBytes(place("runs/small/config.yaml")), as: UTF8.self)
      #expect(saved.contains("shards: 4") && saved.contains("hidden: 24"))
      #expect(saved.split(separator: "\n").count == yaml.split(separator: "\n").count + 2)
      // train is the default command, and goes on where it was.
      let again = try place.output(ranks: 2, ["runs/small/config.yaml", "--run", "runs/small"])
      #expect(again.contains("the run is finished at step 20"))
    }
  }

  @Test(arguments: [
    ([], 32), (set(["model.hidden=24", "training.lanes=6", "training.accumulate=2"]), 96),
    (["--frames", "3"] + set(["model.bidirectional=true"]), 32),
  ])
  func `a benchmark says what it measured, with any setting and data`(
    options: [String], positionsInStep: Double
  ) throws {
    let command =
      [
        "bench", "--cell", "gru", "--vocab", "30", "--embedding", "8", "--hidden", "16", "--layers", "1",
        "--lanes", "4", "--chunk", "8", "--precision", "bfloat16", "--steps", "3", "--warmup", "1", "--json",
      ] + options
    struct Measures: Decodable {
      let program: String, ranks: Int, step_seconds_median: Double, step_seconds_min: Double
      let tokens_per_second: Double, peak_rss_bytes: Int
    }
    try Workspace.with { place in
      for ranks in [1, 2] {
        let json = try place.seqtrain(ranks: ranks, command).output
        let found = try decode(Measures.self, json)
        #expect(found.program == "seqtrain" && found.ranks == ranks)
        #expect(0 < found.step_seconds_min && found.step_seconds_min <= found.step_seconds_median)
        let positions = found.tokens_per_second * found.step_seconds_median
        #expect(abs(positions - positionsInStep) < 0.01 && found.peak_rss_bytes > 1 << 20)
        #expect(json.split(separator: "\n").count == 1)
      }
      #expect(try place.entries.isEmpty)
    }
  }

  @Test func `a plan of a cluster has the parts of a step, and what they come to`() throws {
    struct Plan: Decodable {
      struct Part: Decodable { let part: String, seconds: Double }
      let hosts: Int, ranks_per_host: Int, lanes: Int, shards: Int
      let step_seconds: Double, parts: [Part], tokens_per_second: Double, efficiency: Double
      let memory_bytes_per_rank: Int, memory_bytes_per_host: Int, checkpoint_bytes: Int
      let checkpoint_gathering_seconds: Double, checkpoint_writing_seconds: Double

      func seconds(_ name: String) throws -> Double {
        try #require(parts.first { $0.part == name }).seconds
      }
    }
    try Workspace.with { place in
      func plan(_ cluster: String, _ options: [String], ranks: Int = 1) throws -> Plan {
        let command = [
          "bench", "--hidden", "32", "--embedding", "16", "--chunk", "8", "--steps", "3", "--warmup", "1",
          "--json",
          "--plan", cluster,
        ]
        return try decode(Plan.self, try place.seqtrain(ranks: ranks, command + options).output)
      }
      let alone = try plan("hosts=1,ranks=1,bandwidth=1Gbit,latency=1ms", ["--lanes", "2"])
      #expect(
        alone.parts.map(\.part) == [
          "forward", "backward", "preparation", "update", "sums", "exchange", "latencies",
        ])
      #expect(alone.parts.suffix(3).allSatisfy { $0.seconds == 0 })
      #expect(alone.parts.prefix(4).allSatisfy { $0.seconds > 0 } && alone.checkpoint_writing_seconds > 0)
      #expect(abs(alone.efficiency - 1) < 1e-9 && alone.checkpoint_gathering_seconds == 0)

      let many = try plan("hosts=64,ranks=4,bandwidth=8Mbit,latency=2ms", ["--lanes", "512"], ranks: 2)
      #expect([many.hosts, many.ranks_per_host, many.lanes, many.shards] == [64, 4, 512, 256])
      #expect(abs(many.parts.reduce(0) { $0 + $1.seconds } - many.step_seconds) < 1e-9)
      #expect(abs(many.tokens_per_second * many.step_seconds - 512 * 8) < 1e-6)
      // Weights once and their gradient once, of 63 of 64 parts, at a million bytes a second.
      let bytes = Double(many.checkpoint_bytes) / 3
      let exchange = try many.seconds("exchange")
      #expect(abs(exchange - 2 * bytes * 63 / 64 / 1e6) < 0.1 * exchange, "\(many)")
      #expect(many.efficiency < 0.5 && many.memory_bytes_per_host > 3 * many.memory_bytes_per_rank)
      // With cores to spare gradients go meanwhile.
      let spare = try plan("hosts=64,ranks=4,cores=8,bandwidth=8Mbit,latency=2ms", ["--lanes", "512"])
      #expect(try spare.seconds("exchange") < exchange)
      #expect(try place.entries.isEmpty)
    }
  }

  @Test(arguments: [
    ("hosts=2,ranks=1,bandwidth=1Gbit", "latency missing"),
    ("hosts=0,ranks=1", "hosts=0: expected a number from 1"),
    (
      "hosts=2,ranks=2,bandwidth=1GB,latency=1us",
      "bandwidth=1GB: expected a number and one of Gbit, Kbit, Mbit"
    ),
    (
      "hosts=2,ranks=2,cores=1,bandwidth=1Gbit,latency=1us",
      "cores=1: expected at least the ranks of a host, 2"
    ),
    ("hosts", "'hosts': expected key=value"), ("host=1", "'host': expected hosts, ranks"),
    ("hosts=2,hosts=3", "'hosts' is given twice"),
  ])
  func `a plan of no cluster is refused`(_ cluster: String, _ message: String) throws {
    try Workspace.with { place in
      let result = try place.seqtrain(["bench", "--plan", cluster])
      #expect(result.status == 64 && result.errors.contains("--plan: \(message)"), "\(result)")
    }
  }

  @Test(arguments: [
    ("data.path=d.h5", "--set data.path=d.h5: expected a setting of model or training"),
    ("training.optimizer.rate=1", "training.optimizer.rate is not a setting; the nearest is"),
    ("model.tied=true", "model.tied needs model.embedding 128 and model.hidden 256 to be equal"),
  ])
  func `a benchmark refuses settings that it has not, or that contradict each other`(
    _ setting: String, _ message: String
  ) throws {
    try Workspace.with { place in
      expectRefusal(try place.seqtrain(ranks: 2, ["bench", "--set", setting]), [message])
    }
  }
}
