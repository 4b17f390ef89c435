import Glibc
import TestSupport
import Testing

/// Settings with which nothing can begin, and what has to be said of them.
struct BadSettings: CustomTestStringConvertible, Sendable {
  let testDescription: String
  var ranks = 2
  /// A file of settings, where there is one.
  var yaml: String?
  var arguments: [String] = []
  let expected: [String]

  init(
    _ name: String, ranks: Int = 2, yaml: String? = nil, set settings: String..., expect expected: String...
  ) {
    testDescription = name
    self.ranks = ranks
    self.yaml = yaml
    arguments = set(settings)
    self.expected = expected
  }

  static let all = [
    BadSettings(
      "unknown key", set: "training.lane=8",
      expect: "training.lane is not a setting; the nearest is training.lanes"),
    BadSettings(
      "unknown key of a file", yaml: "training:\n  chunk: 8\n  optimiser:\n    name: adam\n",
      expect: "bad.yaml:4: training.optimiser.name is not a setting; the nearest is training.optimizer.name"),
    BadSettings(
      "name of other programs", set: "lr=0.1",
      expect: "lr is not a setting; it is called training.optimizer.learning_rate here"),
    BadSettings(
      "name of other programs in a section", set: "training.batch_size=8",
      expect: "training.batch_size is not a setting; it is called training.lanes here"),
    BadSettings(
      "name of other programs in a file", yaml: "model:\n  num_layers: 3\n",
      expect: "bad.yaml:2: model.num_layers is not a setting; it is called model.layers here"),
    BadSettings(
      "name of other programs in other spelling", set: "training.seqLen=8",
      expect: "training.seqLen is not a setting; it is called training.chunk here"),
    BadSettings("no value", set: "training.steps", expect: "training.steps: expected KEY=VALUE"),
    BadSettings(
      "wrong type", set: "training.chunk=many", expect: "training.chunk=many: expected an integer",
      "found many"),
    BadSettings(
      "wrong type in a file", yaml: "training:\n  lanes: \"8\"\n",
      expect: "bad.yaml:2: training.lanes: expected an integer", "found the text \"8\""),
    BadSettings(
      "section for a value", yaml: "model:\n  hidden:\n    size: 3\n",
      expect: "bad.yaml:2: model.hidden: expected an integer", "found a section"),
    BadSettings(
      "value out of range", set: "model.dropout=1",
      expect: "model.dropout=1: expected a number from 0.0 to 0.9999999, found 1"),
    BadSettings(
      "value that is 1 in float32", set: "training.optimizer.beta2=0.999999999",
      expect: "expected a number from 0.0 to 0.9999999, found 0.999999999"),
    BadSettings(
      "value that is 0 in float32", set: "training.optimizer.epsilon=1e-50",
      expect: "expected a number from 1.0e-30 to 1.0, found 1e-50"),
    BadSettings(
      "negative count", set: "training.lanes=-8", expect: "training.lanes=-8: expected an integer from 1 to"),
    BadSettings(
      "unknown precision", set: "training.precision=float16",
      expect: "training.precision=float16: expected float32 or bfloat16, found float16"),
    BadSettings("unknown cell", set: "model.cell=LSTM", expect: "or a list of them, found LSTM"),
    BadSettings(
      "no states", set: "model.mamba.states=0",
      expect: "model.mamba.states=0: expected an integer from 1 to 256"),
    BadSettings(
      "decay of a group without decay", set: "training.optimizer.groups=['*.D 1 0.1']",
      expect:
        "training.optimizer.groups: weight decay of *.D needs training.optimizer.name adamw or sgd, found adam"
    ),
    BadSettings(
      "groups of no parameters", set: "model.layers=2",
      "training.optimizer.groups=['rnn.* 0.5', '*.nu_log 0.1']",
      expect:
        "training.optimizer.groups: *.nu_log matches no parameter of this model; expected a pattern over the names "
        + "embedding.weight, head.bias, head.weight, rnn.bias_hh_l*, rnn.bias_ih_l*, rnn.weight_hh_l*, rnn.weight_ih_l*"
    ),
    BadSettings(
      "no parameters to keep from decay", set: "training.optimizer.no_decay=['norm.*', embeding.*]",
      expect: "training.optimizer.no_decay: embeding.* matches no parameter of this model", "embedding.weight"
    ),
    BadSettings(
      "no states of lru", set: "model.lru.states=0",
      expect: "model.lru.states=0: expected an integer from 1 to 65536"),
    BadSettings(
      "a ring inside out", set: "model.cell=[lru, gru]", "model.lru.r_min=0.95", "model.lru.r_max=0.9",
      expect: "model.lru.r_min 0.95 is above model.lru.r_max 0.9"),
    BadSettings(
      "eigenvalues that grow", set: "model.lru.r_max=1.01",
      expect: "model.lru.r_max=1.01: expected a number above 0.0, at most 1.0"),
    BadSettings(
      "unknown candidate", set: "model.minlstm.candidate=log",
      expect: "model.minlstm.candidate=log: expected linear or positive, found log"),
    BadSettings(
      "half a pair of states", set: "model.cell=s4d", "model.s4d.states=7",
      expect: "model.s4d.states 7: expected an even number, of conjugate pairs, such as 8"),
    BadSettings(
      "step sizes that contradict each other", set: "model.cell=[gru, s4d]", "model.s4d.dt_min=0.2",
      expect: "model.s4d.dt_min 0.2 is greater than model.s4d.dt_max 0.1"),
    BadSettings(
      "transition layers without a recurrence", set: "model.cell=mamba", "model.transition_layers=1",
      expect: "model.transition_layers 1 is for recurrent layers, found model.cell mamba"),
    BadSettings(
      "YAML syntax", yaml: "training:\n  lanes: [1\nmodel:\n  hidden: 3\n", expect: "bad.yaml:3: not YAML: "),
    BadSettings("tabs in YAML", yaml: "training:\n\tlanes: 8\n", expect: "bad.yaml:2: not YAML: "),
    BadSettings("key set twice", yaml: "training:\n  lanes: 8\n  lanes: 4\n", expect: "lanes is set twice"),
    BadSettings(
      "lanes not divisible into shards", set: "training.lanes=9", "training.shards=4",
      expect: "training.lanes 9 can't be divided evenly into training.shards 4", "such as 12"),
    BadSettings(
      "lanes not divisible into ranks", ranks: 3, set: "training.lanes=8",
      expect: "training.lanes 8 can't be divided evenly into training.shards 3", "such as 9"),
    BadSettings(
      "more ranks than shards", set: "training.shards=1",
      expect: "2 ranks for training.shards 1", "start at most 1 rank, or set training.shards higher"),
    BadSettings(
      "too few tokens", set: "training.lanes=64", "training.chunk=4000",
      expect: "tales.h5: split train: ", "targets can't fill 64 lanes of at least one chunk of 4000",
      "take at most 4 lanes, or a chunk of at most 272"),
    BadSettings(
      "no lanes that would do", set: "training.chunk=100000",
      expect: "tales.h5: split train: ", "take a chunk of at most "),
    BadSettings(
      "packed without streams enough", set: "training.lanes=64", "data.mode=packed",
      expect: "37 streams can't fill 64 lanes in packed mode; take contiguous mode, or at most 37 lanes "
        + "(training.lanes)"),
    BadSettings(
      "measure of models that run free", set: "evaluation.measure=free_running_loss",
      expect: "evaluation.measure free_running_loss is not measured",
      "; evaluation.free_running true measures it too"),
    BadSettings(
      "measure of translations", set: "evaluation.measure=bleu",
      expect: "evaluation.measure bleu is not measured", "; seqtrain eval --decode measures it after training"
    ),
    BadSettings(
      "one stream", set: "training.chunk=20000", "training.lanes=2", "training.shards=2",
      expect: "targets can't fill 2 lanes of at least one chunk of 20000; take a chunk of at most "),
    BadSettings(
      "settings that contradict each other", set: "model.tied=true",
      expect: "model.tied needs model.embedding 8 and model.hidden 16 to be equal"),
  ]
}

@Suite(.serialized) struct BadSettingTests {
  private static let sound = [
    "data.path=tales.h5", "model.hidden=16", "model.embedding=8", "training.lanes=8", "training.chunk=16",
    "training.steps=2",
  ]

  @Test func `bad settings are refused once, and nothing is written`() throws {
    try Workspace.with { place in
      try place.makeTales()
      for bad in BadSettings.all {
        let file = try bad.yaml.map { text in
          try place.write("bad.yaml", text)
          return ["bad.yaml"]
        }
        let before = try place.entries
        let result = try place.seqtrain(
          ranks: bad.ranks,
          ["train"] + (file ?? []) + ["--run", "run"] + set(Self.sound) + bad.arguments)
        expectRefusal(result, bad.expected)
        #expect(try place.entries == before, "\(bad.testDescription)")
      }
    }
  }

  @Test func `files of settings that are none are refused`() throws {
    try Workspace.with { place in
      func train() throws -> ProcessResult {
        try place.seqtrain(ranks: 2, ["train", "x.yaml", "--run", "run"])
      }
      expectRefusal(
        try train(),
        ["x.yaml: can't open: No such file or directory; expected a file of settings, or a command"])
      try writeBytes([0xFF, 0xFE, 0x00], to: place("x.yaml"))
      expectRefusal(try train(), ["x.yaml: not a text in UTF-8; expected a YAML file of settings"])
      #expect(try place.entries == ["x.yaml"])
    }
  }

  @Test func `what is no file of settings is named for what it is`() throws {
    try Workspace.with { place in
      try place.makeTales("d.h5")
      try place.write("novel.txt", "Call me Ishmael.\nSome years ago\n")
      try place.write("long.txt", String(repeating: "Call me Ishmael.\n", count: 100_000))
      mkdir(place("folder"), 0o755)
      for (name, expected) in [
        ("d.h5", "an HDF5 file, where settings in YAML are expected; --set data.path=d.h5 names a dataset"),
        ("novel.txt", "make it a dataset: seqtrain data import text novel.txt --output "),
        ("long.txt", "make it a dataset: seqtrain data import text long.txt --output "),
        ("folder", "a directory, where settings in YAML are expected; --run folder names a run"),
      ] {
        expectRefusal(try place.seqtrain(ranks: 2, ["train", name]), ["\(name): ", expected])
      }
      #expect(try place.entries == ["d.h5", "folder", "long.txt", "novel.txt"])
    }
  }

  @Test func `texts of a run lead inspect to the run`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.write("my.yaml", "training:\n  steps: 1\n")
      try place.output(["train", "my.yaml"] + set(Self.sound))
      for name in ["my.yaml", "runs/my/config.yaml", "runs/my/metrics.jsonl", "runs/my/run.log"] {
        expectRefusal(
          try place.seqtrain(["inspect", name]),
          ["\(name): a text; ", "for the run: seqtrain inspect runs/my"])
      }
    }
  }

  @Test(arguments: [("trian", "train"), ("inspct", "inspect"), ("evaluate", "eval"), ("bnech", "bench")])
  func `an unknown command ends with status 64 and the nearest one`(_ given: String, _ nearest: String) throws
  {
    try Workspace.with { place in
      for ranks in [nil, 2] {
        let result = try place.seqtrain(ranks: ranks, [given, "x.yaml"])
        #expect(result.status == 64 && result.output.isEmpty, "\(result)")
        let message = "Error: \(given): neither a command nor a file; the nearest command is \(nearest)\n"
        #expect(result.errors.hasPrefix(message) || result.errors.contains("\n" + message), "\(result)")
      }
      // A file may have such a name.
      try place.write(given, "training:\n  lanes: x\n")
      expectRefusal(try place.seqtrain([given]), ["\(given):2: training.lanes: expected an integer"])
    }
  }

  @Test func `control characters of names reach no terminal`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let run = "r\u{1B}[31m\nx\u{7F}\u{9B}2J"
      let shown = #"r\u{1B}[31m\nx\u{7F}\u{009B}2J"#
      let result = try place.seqtrain(["train", "--run", run] + set(Self.sound))
      #expect(result.status == 0 && result.output.contains("\(shown): lstm "), "\(result)")
      let log = String(decoding: try readBytes(place("\(run)/run.log")), as: UTF8.self)
      let outputs = [
        result.output, log, try place.output(["inspect", run]), try place.output(["inspect", run, "--json"]),
        try place.seqtrain(["inspect", "\(run)x"]).errors,
        try place.seqtrain(["data", "info", "\(run)/x"]).errors,
        try place.seqtrain(["--\(run)"]).errors,
      ]
      for output in outputs {
        #expect(
          output.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control || $0 == "\n" },
          "\(output)")
      }
      #expect(outputs[4].contains(shown) && outputs[5].contains(shown) && outputs[6].contains(#"\u{1B}"#))
    }
  }

  @Test func `the version is told`() throws {
    try Workspace.with { place in
      let version = try place.output(ranks: 2, ["--version"])
      #expect(version.wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+\n/) != nil, "\(version)")
    }
  }

  @Test(arguments: [
    (["train", "--runn", "r"], "Unknown option '--runn'"),
    (["train", "a.yaml", "b.yaml"], "b.yaml"),
    (["data", "import", "text", "--output", "x.h5"], "there are no files to import"),
    (["data", "import", "text", "--output", "x.h5"], "Usage: seqtrain data import text "),
    (
      ["data", "import", "pairs", "a", "--train", "b", "--output", "x.h5"],
      "Usage: seqtrain data import pairs "
    ),
    (["data", "import", "hdf5", "a.h5", "--output", "x.h5"], "Usage: seqtrain data import hdf5 "),
    (["data", "import", "text", "a.txt", "--output", "x.h5", "--level", "letter"], "letter"),
    (["data", "import", "text", "a.txt", "--output", "x.h5", "--split", "0.9,x"], "--split"),
    (["eval", "run", "--states"], "--states needs --output"),
    (["generate", "run", "--top-p", "0"], "--top-p 0.0: expected above 0, at most 1"),
    (["generate", "run", "--length", "many"], "many"),
    (["generate", "run", "--temperature", "-1"], "--temperature -1.0: expected a number of at least 0"),
    (["bench", "--cell", "transformer"], "transformer"),
    (["bench", "--steps", "0"], "--steps 0: expected 1 to 1000000"),
    (["bench", "--steps", "\(Int.max)"], "--steps \(Int.max): expected 1 to 1000000"),
    (["bench", "--warmup", "\(Int.max)"], "--warmup \(Int.max): expected 0 to 1000000"),
    (["bench", "--frames", "\(Int.max)"], "--frames \(Int.max): expected 0 to 65536"),
    (["bench", "--vocab", "\(Int.max)"], "--vocab \(Int.max): expected 1 to 16777216"),
    (
      ["forecast", "run", "--data", "x.csv", "--output", "y.csv", "--steps", "\(Int.max)"],
      "--steps \(Int.max): expected 1 to 1000000"
    ),
    (
      ["data", "import", "hdf5", "x.h5", "--output", "y.h5", "--grid", "9999999999x9999999999"],
      "--grid 9999999999x9999999999: expected rows and columns, such as 8x8, each from 1 to 65536"
    ),
    (["data", "import", "hdf5", "x.h5", "--output", "y.h5", "--grid", "0x8"], "each from 1 to 65536"),
  ])
  func `wrong arguments are told once and end with status 64`(_ arguments: [String], _ fragment: String)
    throws
  {
    try Workspace.with { place in
      // Those of a job's ranks that are not the first keep silent.
      let result = try place.seqtrain(ranks: arguments[0] == "eval" ? 2 : nil, arguments)
      #expect(result.status == 64 && result.output.isEmpty, "\(result)")
      #expect(result.errors.ranges(of: "Error: ").count == 1, "\(result)")
      #expect(result.errors.contains(fragment), "\(result)")
      #expect(try place.entries.isEmpty)
    }
  }
}
