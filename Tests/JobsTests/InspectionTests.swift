import Evaluation
import HDF5
import Jobs
import Sequences
import TestSupport
import Testing
import Training

@Suite(.serialized) struct InspectionTests {
  @Test func `a run is shown by its newest sound checkpoint`() throws {
    try SampleRun.with(mode: "auto") { run in
      let checkpoint = "\(run.path)/checkpoints/step-00000012.h5"
      let whole = try Inspection(run.path)
      #expect(whole.damaged.isEmpty)
      #expect(try Inspection(checkpoint).json.text == whole.json.text)
      #expect(
        whole.json.text.hasPrefix(
          #"{"kind":"checkpoint","format_version":1,"step":12,"epoch":"#), "\(whole.json.text)")
      // 9 x 5 embedding, 6 x (5 + 6 + 2) recurrent, 9 x (6 + 1) head.
      #expect(whole.json.text.contains(#","parameters":186,"digest":""#))
      for line in [
        "  rnn.weight_ih_l0    6 x 5", "  head.bias           9", "adam", "parameters            186",
      ] {
        #expect(whole.text.contains(line), "\(whole.text)")
      }

      try writeBytes(try readBytes(checkpoint).dropLast(1), to: checkpoint)
      let result = try runProcess(try builtProgram("seqtrain"), ["inspect", run.path, "--json"])
      #expect(result.status == 0 && result.output.contains(#""step":8,"#), "\(result)")
      #expect(result.errors.hasPrefix("seqtrain: warning: passed over: \(checkpoint): "), "\(result)")
      #expect(result.output.contains(#""passed_over":["\#(checkpoint): "#), "\(result)")
      #expect(throws: TrainingError.self) { try Inspection(checkpoint) }
    }
  }

  @Test func `parameters are shown with rates and decays of their own`() throws {
    let settings = [
      "model.cell=lru", "model.lru.states=3", "training.optimizer.name=adamw",
      "training.optimizer.weight_decay=0.01", "training.optimizer.groups=['head.* 0.5 0.2']",
    ]
    try SampleRun.with(mode: "auto", settings: settings) { run in
      let inspection = try Inspection(run.path)
      let rows = inspection.text.split(separator: "\n").map {
        $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
      }
      for row in [
        "lru.0.nu_log 3, learning rate x 0.25", "lru.0.B_re 3 x 5, weight decay 0.01",
        "head.weight 9 x 6, learning rate x 0.5, weight decay 0.2",
      ] {
        #expect(rows.contains(row), "\(inspection.text)")
      }
      #expect(
        inspection.json.text.contains(
          #"{"name":"lru.0.theta_log","shape":[3],"rate_factor":0.25,"weight_decay":0.0}"#))
    }
  }

  @Test func `datasets and evaluations are shown too, other files refused`() throws {
    try SampleRun.with(mode: "auto") { run in
      let output = "\(run.directory)/e.h5"
      #expect(try run.seqtrain(["eval", run.path, "--output", output]).status == 0)
      #expect(
        try Inspection(output).json.text.hasPrefix(#"{"kind":"evaluation","format_version":1,"checkpoint":"#))
      #expect(try Inspection(output).text.contains("nats a target"))
      #expect(try Inspection(run.dataPath).json.text.hasPrefix(#"{"kind":"dataset","format_version":1,"#))
      #expect(try Inspection(run.dataPath).text.contains(" targets\nvocabulary "))

      let foreign = "\(run.directory)/foreign.h5"
      let file = try File.create(foreign)
      try file.write("x", [1.0])
      try file.close()
      try expectRefusal(try run.seqtrain(["inspect", foreign]), "none of this program")
      try expectRefusal(try run.seqtrain(["inspect", "\(run.directory)/none"]), "cannot be opened")
    }
  }

  @Test func `a dataset of tracks is shown, track by track`() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try DatasetContent(
        DataDescription([
          .input: .frames(FrameColumns(["x", "t"], units: ["", "s"], means: [0.5, 0], scales: [2, 1])),
          .target: .tokens(Vocabulary(level: .label, spellings: ["falls", "rises"])),
        ]), offsets: [0, 3, 5],
        splits: [
          .init(name: "train", range: 0..<3, floor: 0.25, trivial: 0.5), .init(name: "test", range: 3..<5),
        ],
        values: [.input: .frames([Float](repeating: 1, count: 10)), .target: .tokens([0, 1, 0, 1, 1])],
        positionWeights: [0, 0, 1, 0, 1], origin: DatasetOrigin(command: "a test")
      ).write(to: path)
      let dataset = try SequenceDataset(path)
      #expect(
        try Inspection(path).text == """
          dataset      \(path), format version 2
          positions    5 in 2 streams
          train        3 positions, 1 stream, 1 target, lowest loss 0.2500 a target, trivial loss 0.5000
          test         2 positions, 1 stream, 1 target
          input        frames of 2 columns: x, t [s]
          target       2 labels
          horizon      0
          weights      one a position
          fingerprint  \(dataset.fingerprint)
          made by      a test
          """)
      #expect(
        try Inspection(path).json.text.contains(
          #""horizon":0,"tracks":{"input":{"names":["x","t"],"units":["","s"],"means":[0.5,0.0],"scales":[2.0,1.0],"#
            + #""binary":false},"target":{"level":"label","vocabulary":2,"unknown":null}},"weights":true,"#))
    }
  }

  @Test(arguments: ["contiguous", "packed"])
  func `generation continues a prompt, and refuses what the model cannot read`(mode: String) throws {
    try SampleRun.with(mode: mode) { run in
      func generate(_ arguments: String...) throws -> ProcessResult {
        try runProcess(try builtProgram("seqtrain"), ["generate", run.path] + arguments)
      }
      let text = try generate("--prompt", "abä", "--length", "40", "--seed", "3")
      #expect(text.status == 0 && text.output.hasPrefix("abä"), "\(text)")
      #expect(text.output.unicodeScalars.count == 44)
      #expect(try generate("--prompt", "abä", "--length", "40", "--seed", "3").output == text.output)
      #expect(try generate("--prompt", "abä", "--length", "40", "--seed", "4").output != text.output)
      // A model of long streams reads a line's end first, which is not printed; one of many streams begins with the prompt.
      let before = mode == "contiguous" ? "\n" : ""
      for (prompt, context) in [("", "\n"), ("ab", before + "ab")] {
        #expect(
          try generate("--prompt", prompt, "--length", "40").output
            == prompt + (try continuation(of: context, by: run.path)) + "\n")
      }
      try expectRefusal(try generate("--prompt", "abX"), "\"X\"")
      for wrong in ["--temperature=-1", "--top-p=0", "--top-k=-1", "--length=-1"] {
        let result = try generate("--prompt", "a", wrong)
        #expect(result.status == 64 && result.output.isEmpty, "\(result)")
      }
    }
  }

  /// 40 tokens drawn after `context` with the first seed.
  private func continuation(of context: String, by path: String) throws -> String {
    let trained = try TrainedModel(path, best: false)
    let vocabulary = try #require(trained.description.languageVocabulary)
    var tokens: [Int32] = []
    Generator(trained.configuration.model, tracks: trained.description.tracks, memory: trained.memory)
      .generate(prompt: try vocabulary.encode(context), count: 40, sampler: Sampler(), seed: 1) {
        tokens.append($0)
      }
    return vocabulary.decode(tokens)
  }
}
