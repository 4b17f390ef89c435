import Core
import Settings
import Testing
import Training

/// The message of the error that a block throws, or what it returned.
func message<T>(_ body: () throws -> T) -> String {
  do { return "no error: \(try body())" } catch { return "\(error)" }
}

@Suite struct ConfigurationReadingTests {
  /// A value for a setting that differs from its default.
  static func otherValue(of setting: Setting<Configuration>) throws -> String {
    let candidates = [
      "true", "3", "0.25", "packed", "gru", "relu", "learnt", "rms", "gated", "uniform", "bfloat16", "skip",
      "sgd", "cosine", "squared_error", "[0.5, 2]", "accuracy", "positive", "inv", "before", "linear",
      "sinusoidal", "false",
      "[a, \"b: c\"]", "['*.bias 0.5 0.1', 'head.* 2']", "a text: \"quoted\" # \\ \u{e9}",
    ]
    for candidate in candidates {
      var configuration = Configuration()
      do { try configuration.set("\(setting.key)=\(candidate)") } catch { continue }
      if !configuration.changes(since: Configuration()).isEmpty { return candidate }
    }
    throw ConfigurationError("no candidate fits \(setting.key)")
  }

  @Test func `every setting is written and read back`() throws {
    var changed = Configuration()
    for setting in Configuration.settings.all {
      try changed.set("\(setting.key)=\(Self.otherValue(of: setting))")
    }
    #expect(changed.changes(since: Configuration()).count == Configuration.settings.all.count)
    #expect(try Configuration(yaml: changed.yaml, name: "config.yaml") == changed)
    #expect(try Configuration(yaml: Configuration().yaml, name: "config.yaml") == Configuration())
  }

  @Test func `settings are read by section`() throws {
    let yaml = """
      model: {cell: gru, hidden: 1_024}
      training:
        optimizer:
          learning_rate: 1e-3
          no_decay: [head.*]
      checkpoint:
      data.path: words.h5
      """
    let configuration = try Configuration(yaml: yaml, name: "c.yaml")
    #expect(configuration.model.cell == "gru")
    #expect(configuration.model.hidden == 1024)
    #expect(configuration.training.optimizer.learningRate == 0.001)
    #expect(configuration.training.optimizer.noDecay == ["head.*"])
    #expect(configuration.data.path == "words.h5")
    #expect(configuration.model.layers == Configuration().model.layers)
  }

  @Test func `kinds of layers are one name or a list`() throws {
    var configuration = Configuration()
    #expect(configuration.yaml.contains("\n  cell: lstm\n"))
    for (value, expected) in [("gru", "gru"), ("[gru, rnn]", "[gru, rnn]"), ("[rnn]", "rnn")] {
      try configuration.set("model.cell=\(value)")
      #expect(configuration.yaml.contains("\n  cell: \(expected)\n"))
      #expect(try Configuration(yaml: configuration.yaml, name: "c.yaml") == configuration)
    }
    for (value, found) in [("[]", "a list"), ("[gru, x]", "a list"), ("[[gru]]", "a list"), ("", "nothing")] {
      #expect(
        message { try configuration.set("model.cell=\(value)") }
          == "model.cell=\(value): expected \(LayerNames.expectation), found \(found)")
    }
  }

  @Test(arguments: ["", "\n", "# nothing\n", "---\n", "model: {}\n"])
  func `nothing set is the defaults`(_ yaml: String) throws {
    #expect(try Configuration(yaml: yaml, name: "c.yaml") == Configuration())
  }

  @Test(arguments: [
    ("model:\n  hidden: 3\n cell: gru", "c.yaml:3: not YAML: "),
    ("model:\n\thidden: 3", "c.yaml:2: not YAML: found character that cannot start any token"),
    ("model:\n  hiden: 3", "c.yaml:2: model.hiden is not a setting; the nearest is model.hidden"),
    ("modle:\n  hidden: 3", "c.yaml:2: modle.hidden is not a setting; the nearest is model.hidden"),
    ("steps: 3", "c.yaml:1: steps is not a setting; the nearest is training.steps"),
    (
      String(repeating: "a,b ", count: 1000),
      "c.yaml: expected sections such as `training:`, found " + String(repeating: "a,b ", count: 25) + "..."
    ),
    (
      "training:\n  optimizer:\n    rate: 3",
      "c.yaml:3: training.optimizer.rate is not a setting; the nearest is"
    ),
    (
      "model:\n\n  hidden: many",
      "c.yaml:3: model.hidden: expected an integer from 1 to 65536, found many"
    ),
    ("model:\n  hidden: 2.5", "c.yaml:2: model.hidden: expected an integer from 1 to 65536, found 2.5"),
    (
      "model:\n  hidden: \"256\"",
      "c.yaml:2: model.hidden: expected an integer from 1 to 65536, found the text \"256\""
    ),
    ("model:\n  hidden: 0", "c.yaml:2: model.hidden: expected an integer from 1 to 65536, found 0"),
    ("model: {hidden: 99999999999999999999}", "c.yaml:1: model.hidden: expected an integer from 1 to 65536"),
    (
      "model: {hidden: {a: 3}}",
      "c.yaml:1: model.hidden: expected an integer from 1 to 65536, found a section"
    ),
    ("model: {hidden: }", "c.yaml:1: model.hidden: expected an integer from 1 to 65536, found nothing"),
    ("model: {cell: LSTM}", "c.yaml:1: model.cell: expected \(LayerNames.expectation), found LSTM"),
    ("model: {dropout: 1}", "c.yaml:1: model.dropout: expected a number from 0.0 to 0.9999999, found 1"),
    (
      "model: {dropout: nan}",
      "c.yaml:1: model.dropout: expected a number from 0.0 to 0.9999999, found nan"
    ),
    ("model: {tied: 1}", "c.yaml:1: model.tied: expected true or false, found 1"),
    ("training.optimizer: {learning_rate: 0}", "learning_rate: expected a number above 0.0, at most 1000.0"),
    ("training.optimizer: {no_decay: bias}", "no_decay: expected a list of texts, found bias"),
    ("model: lstm", "c.yaml:1: model is a section of settings, found lstm"),
    ("model:\n  hidden: 3\n  hidden: 4", "hidden is set twice"),
    ("model: {hidden: 3}\nmodel.hidden: 4", "c.yaml:2: model.hidden is set twice"),
    ("- 3", "c.yaml: expected sections such as `training:`, found a list"),
  ])
  func `what is wrong is named with its line`(_ yaml: String, _ expected: String) {
    let found = message { try Configuration(yaml: yaml, name: "c.yaml") }
    #expect(found.contains(expected))
  }

  @Test(arguments: [
    ("model.hidden", "--set model.hidden: expected KEY=VALUE, such as training.steps=1000"),
    ("model.hiden=3", "model.hiden=3: model.hiden is not a setting; the nearest is model.hidden"),
    ("model.hidden=x", "model.hidden=x: expected an integer from 1 to 65536, found x"),
    ("model=3", "model=3: model is a section of settings, such as model.cell"),
    (
      "training.samplng.decay=linear",
      "training.samplng.decay is not a setting; the nearest is training.sampling.decay"
    ),
    ("sampling.decay=linear", "sampling.decay is not a setting; the nearest is training.sampling.decay"),
    ("decay=0.1", "decay is not a setting; it is called training.optimizer.weight_decay here"),
    (
      "training.optimizer.groups=[a]",
      "expected a list of texts \"PATTERN FACTOR\" or \"PATTERN FACTOR DECAY\", numbers from 0 to 1000, found a list"
    ),
    ("training.optimizer.groups=['*.D 1 0 0']", "or \"PATTERN FACTOR DECAY\""),
    ("training.optimizer.groups=['*.D -1']", "numbers from 0 to 1000"),
    ("training.optimizer.no_decay=[a", "expected a list of texts, found [a"),
  ])
  func `what is wrong with an assignment is named`(_ assignment: String, _ expected: String) {
    var configuration = Configuration()
    let found = message { try configuration.set(assignment) }
    #expect(found.contains(expected))
    #expect(configuration == Configuration())
  }

  @Test func `an assignment keeps what follows the first equals sign`() throws {
    var configuration = Configuration()
    try configuration.set("data.path=a=b: [c.h5")
    #expect(configuration.data.path == "a=b: [c.h5")
    try configuration.set("data.path=")
    #expect(configuration.data.path == "")
  }

  @Test func `a file that is no configuration is named`() {
    #expect(
      message { try Configuration(path: "/nowhere/c.yaml") }
        == "/nowhere/c.yaml: can't open: No such file or directory")
    for (path, kind) in [("/", "a directory"), ("/dev/zero", "a device")] {
      #expect(
        message { try Configuration(path: path) }
          == "\(path): is \(kind), not a regular file; move it away, or name another")
    }
    #expect(message { try Configuration(path: "/proc/self/exe") }.hasPrefix("/proc/self/exe: larger than"))
    #expect(message { try Configuration(path: "/bin/true") }.hasPrefix("/bin/true: not a text in UTF-8"))
  }

  @Test func `settings are written section by section`() {
    let keys = Configuration.settings.all.map(\.key)
    #expect(Set(keys).count == keys.count)
    let sections = keys.map { $0.split(separator: ".").first ?? "" }
    #expect(zip(sections, sections.dropFirst()).filter { $0 != $1 }.count == Set(sections).count - 1)
    let yaml = Configuration().yaml
    for section in Set(sections) {
      #expect(yaml.split(separator: "\n").filter { $0 == "\(section):" }.count == 1)
    }
  }
}
