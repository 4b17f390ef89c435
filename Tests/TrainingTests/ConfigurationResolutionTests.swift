import Core
import Settings
import Testing
import Training

@Suite struct ConfigurationResolutionTests {
  static func configuration(_ assignments: String...) throws -> Configuration {
    var configuration = Configuration()
    for assignment in assignments { try configuration.set(assignment) }
    return configuration
  }

  @Test func `shards are the ranks of the first launch`() throws {
    let first = try Configuration().resolved(ranks: 3)
    #expect(first.training.shards == 3)
    #expect(try Configuration().resolved(ranks: 2, previous: first).training.shards == 3)
    #expect(try Self.configuration("training.shards=8").resolved(ranks: 2).training.shards == 8)
  }

  @Test func `with time blocks shards are the fewest that give every rank a block`() throws {
    let first = try Self.configuration(
      "training.time_blocks=4", "training.lanes=12", "model.cell=mingru", "data.mode=packed")
    for (ranks, shards) in [(1, 1), (4, 1), (5, 2), (12, 3)] {
      #expect(try first.resolved(ranks: ranks).training.shards == shards)
    }
    #expect(try first.resolved(ranks: 4, previous: first.resolved(ranks: 12)).training.shards == 3)
  }

  @Test func `a run without a length has the one it began with`() throws {
    #expect(try Configuration().resolved(ranks: 1).training.steps == TrainingConfiguration.defaultSteps)
    let first = try Self.configuration("training.epochs=3").resolved(ranks: 1)
    #expect(first.training.steps == 0)
    let again = try Configuration().resolved(ranks: 1, previous: first)
    #expect(again.training.steps == 0)
    #expect(again.training.epochs == 3)
    #expect(
      try Self.configuration("training.steps=7").resolved(ranks: 1, previous: first).training.steps == 7)
  }

  @Test func `bidirectional models play streams whole`() throws {
    let first = try Self.configuration("model.bidirectional=true").resolved(ranks: 1)
    #expect(first.data.mode == .whole)
    let again = try Self.configuration("model.bidirectional=true").resolved(ranks: 1, previous: first)
    #expect(again.data.mode == .whole)
    #expect(try Configuration().resolved(ranks: 1).data.mode == .auto)
  }

  @Test(arguments: [
    (
      ["training.lanes=10"], 4,
      "training.lanes 10 can't be divided evenly into training.shards 4; set training.lanes to a multiple, such as 12"
    ),
    (
      ["training.shards=2"], 4,
      "4 ranks for training.shards 2: each rank needs a shard; start at most 2 ranks"
    ),
    (
      ["training.lanes=16777216", "training.chunk=1048576"], 1,
      "training.lanes 16777216 times training.chunk 1048576 are more than 2147483647 positions of a chunk; set one"
    ),
    (
      ["model.hidden=65536", "model.layers=1024"], 1,
      "model.hidden 65536 and model.layers 1024 make a model of more than 1099511627776 weights; set one"
    ),
    (["model.tied=true"], 1, "model.tied needs model.embedding 128 and model.hidden 256 to be equal"),
    (["model.activation=relu"], 1, "model.activation relu is for model.cell rnn, found lstm"),
    (
      ["model.bidirectional=true", "data.mode=packed"], 1,
      "model.bidirectional reads streams from both ends and needs data.mode whole or auto, found packed"
    ),
    (
      ["model.bidirectional=true", "model.cell=[gru, conv]"], 1,
      "model.bidirectional is for model.cell rnn, lstm, gru, lstm2, mingru, minlstm, lru, s4d, mamba, attention, found "
        + "conv"
    ),
    (
      ["model.cell=attention", "model.attention.heads=3"], 1,
      "model.attention.heads 3 cuts a width of 256 into heads of 85 columns and a rest of 1; set it to one of 1, 2, 4, or "
        + "model.hidden to a multiple of 6"
    ),
    (
      ["model.cell=attention", "model.attention.heads=4", "model.hidden=12"], 1,
      "model.attention.heads 4 cuts a width of 12 into heads of 3 columns; rotary positions turn pairs of them; set it to "
        + "one of 2, 3, 6, or model.hidden to a multiple of 8"
    ),
    (
      ["model.cell=[gru, attention]", "model.hidden=15"], 1,
      "model.attention.heads 4 cuts a width of 15 into heads of 3 columns and a rest of 3; set model.hidden to a multiple of "
        + "8"
    ),
    (["model.residual=true"], 1, "model.residual needs model.embedding 128 and model.hidden 256 to be equal"),
    (
      ["model.residual=true", "model.bidirectional=true"], 1,
      "model.residual needs model.embedding 128 to be twice model.hidden, 512"
    ),
    (["model.mlp=4"], 1, "model.mlp 4 is for model.residual true, found false"),
    (
      ["model.residual=true", "model.embedding=256", "model.layer_norm=true"], 1,
      "model.layer_norm normalises the outputs of plain layers"
    ),
    (["model.cell=mlp", "model.transition_layers=1"], 1, "is for recurrent layers, found model.cell mlp"),
    (
      ["training.time_blocks=3", "model.cell=mingru"], 1,
      "training.chunk 64 can't be cut evenly into training.time_blocks 3; set training.chunk to a multiple, such as 66"
    ),
    (
      ["training.time_blocks=2", "training.shards=1", "model.cell=mingru"], 4,
      "4 ranks for training.shards 1 times training.time_blocks 2: each rank needs a block of a shard's lanes; start at most "
        + "2 ranks, or set one of them higher"
    ),
    (
      ["training.time_blocks=2", "model.cell=[mingru, lstm]"], 1,
      "training.time_blocks 2 cuts chunks in time, which model.cell lstm doesn't allow: its products wait for the state of "
        + "the step before, so that blocks would take turns; set model.cell to layers of mingru, minlstm, lru, s4d, mamba, "
        + "conv, mlp, or training.time_blocks 1"
    ),
    (
      ["training.time_blocks=2", "model.cell=attention"], 1,
      "which model.cell attention doesn't allow: its steps read many before; set model.cell to"
    ),
    (
      ["training.time_blocks=2", "model.cell=mingru", "data.mode=whole"], 1,
      "which data.mode whole doesn't allow: chunks are of many lengths; set data.mode packed or contiguous"
    ),
    (
      ["training.time_blocks=2", "model.cell=mingru", "model.bidirectional=true"], 1,
      "which model.bidirectional true doesn't allow: both directions need whole streams; set model.bidirectional false"
    ),
    (
      ["training.time_blocks=2", "model.cell=mingru", "training.sampling.decay=linear"], 1,
      "which training.sampling.decay linear doesn't allow: inputs are drawn one after another; set"
    ),
    (
      ["training.time_blocks=2", "model.cell=mingru", "model.discriminator.hidden=4"], 1,
      "which model.discriminator.hidden 4 doesn't allow: inputs are drawn one after another; set"
    ),
    (
      ["training.time_blocks=32", "model.cell=[mingru, conv, mamba]", "model.conv.width=5"], 1,
      "training.time_blocks 32 makes blocks of 2 steps of training.chunk 64, but model.conv.width 5 reads 4 steps back; set "
        + "training.chunk to at least 128"
    ),
    (["training.optimizer.nesterov=true"], 1, "training.optimizer.nesterov needs"),
    (["training.optimizer.weight_decay=0.1"], 1, "needs training.optimizer.name adamw or sgd, found adam"),
    (["training.schedule.name=plateau", "evaluation.every=0"], 1, "evaluation.every 0: "),
    (["evaluation.patience=2", "evaluation.every=0"], 1, "evaluation.every 0: "),
  ])
  func `contradictions are refused`(_ assignments: [String], _ ranks: Int, _ expected: String) throws {
    var configuration = Configuration()
    for assignment in assignments { try configuration.set(assignment) }
    let found = message { try configuration.resolved(ranks: ranks) }
    #expect(found.contains(expected))
  }

  @Test func `pairs are not cut in time`() throws {
    let cut = try Self.configuration("training.time_blocks=2", "model.cell=mingru")
    #expect(
      message { try cut.checkTimeBlocks(arePairs: true) }.hasPrefix(
        "training.time_blocks 2 cuts chunks in time, but the data are pairs, which are played whole; set "))
    try cut.checkTimeBlocks(arePairs: false)
    try Self.configuration("model.cell=mingru").checkTimeBlocks(arePairs: true)
  }

  @Test func `what may change on resume does`() throws {
    let first = try Self.configuration("training.steps=20").resolved(ranks: 2)
    let second = try Self.configuration(
      "training.steps=40", "training.optimizer.learning_rate=0.1", "evaluation.every=7", "checkpoint.keep=9",
      "training.log_every=1", "training.schedule.name=cosine"
    ).resolved(ranks: 1, previous: first)
    #expect(second.training.steps == 40)
    #expect(second.changes(since: first).count == 6)
  }

  @Test func `everything else is refused with both values`() throws {
    let first = try Configuration().resolved(ranks: 2)
    let second = try Self.configuration("model.hidden=64", "training.lanes=16", "training.steps=40")
    #expect(
      message { try second.resolved(ranks: 1, previous: first) }
        == "the run has begun with other settings: model.hidden was 256, now 64; training.lanes was 48, now 16; "
        + "set them back, or choose another directory with --run")
  }

  @Test func `what may change is the promised set`() {
    let fixed = Configuration.settings.all.filter { !$0.mayChange }.map(\.key)
    let others = fixed.filter { !$0.hasPrefix("model.") && !$0.hasPrefix("training.") }
    #expect(others == ["data.mode", "evaluation.measure"])
    #expect(fixed.contains("model.hidden") && fixed.contains("training.seed"))
    for key in ["steps", "epochs", "log_every", "optimizer.learning_rate", "schedule.warmup"] {
      #expect(!fixed.contains("training.\(key)"))
    }
  }

  @Test func `patterns exempt parameters from decay`() throws {
    let optimizer = try Self.configuration(
      "training.optimizer.name=adamw", "training.optimizer.weight_decay=0.1"
    ).training.optimizer
    let layout = Self.layout("lstm") { $0.layerNorm = true }
    func decay(_ name: String, _ optimizer: OptimizerConfiguration) throws -> Double {
      optimizer.group(of: try #require(layout[name])).weightDecay
    }
    #expect(try decay("rnn.weight_hh_l0", optimizer) == 0.1)
    #expect(try decay("rnn.bias_hh_l0", optimizer) == 0)
    #expect(try decay("norm.0.weight", optimizer) == 0)
    #expect(try decay("rnn.weight_hh_l0", Configuration().training.optimizer) == 0)
  }

  @Test func `layers say how their parameters are updated, and patterns over names come first`() throws {
    let decaying = ["training.optimizer.name=adamw", "training.optimizer.weight_decay=0.1"]
    let builtIn = try Self.configuration(decaying[0], decaying[1]).training.optimizer
    let chosen = try Self.configuration(
      decaying[0], decaying[1],
      "training.optimizer.groups=['*.nu_log 0.5', 'lru.1.* 0.1 0.3', '*.bias 2', '*_log 3']"
    ).training.optimizer
    let layout = Self.layout("[lru, s4d, mamba]") { ($0.layers, $0.residual) = (6, true) }
    for (name, expected, changed) in [
      ("lru.0.nu_log", (0.25, 0.0), (0.5, 0.1)), ("lru.0.theta_log", (0.25, 0), (3, 0.1)),
      ("lru.3.B_re", (1, 0.1), (1, 0.1)), ("s4d.1.log_dt", (0.25, 0), (0.25, 0)),
      ("s4d.1.log_A_real", (0.25, 0), (0.25, 0)), ("s4d.1.A_imag", (0.25, 0), (0.25, 0)),
      ("s4d.1.C", (1, 0.1), (1, 0.1)), ("mamba.2.A_log", (1, 0), (3, 0.1)), ("mamba.2.D", (1, 0), (1, 0)),
      ("glu.0.bias", (1, 0), (2, 0)), ("glu.0.weight", (1, 0.1), (1, 0.1)),
    ] {
      let parameter = try #require(layout[name])
      #expect(
        builtIn.group(of: parameter) == UpdateGroup(rateFactor: expected.0, weightDecay: expected.1),
        "\(name)")
      #expect(
        chosen.group(of: parameter) == UpdateGroup(rateFactor: changed.0, weightDecay: changed.1), "\(name)")
    }
    let again = try Self.configuration("training.optimizer.groups=\(chosen.groups.yaml)").training.optimizer
    #expect(again.groups == chosen.groups)
    // The first pattern that matches decides, also on the decay.
    let ordered = try Self.configuration("training.optimizer.groups=['lru.1.* 0 0', '* 7 0']")
    let other = Self.layout("lru") { $0.layers = 2 }
    #expect(ordered.training.optimizer.group(of: try #require(other["lru.1.D"])).rateFactor == 0)
    #expect(ordered.training.optimizer.group(of: try #require(other["lru.0.D"])).rateFactor == 7)
  }

  /// Where the parameters of a small language model lie.
  private static func layout(
    _ cell: String, configure: (inout ModelConfiguration) -> Void
  ) -> ParameterLayout {
    var configuration = Configuration()
    try? configuration.set("model.cell=\(cell)")
    (configuration.model.hidden, configuration.model.embedding) = (8, 8)
    configure(&configuration.model)
    return Blueprint(configuration.model, tracks: .language(vocabulary: 5)).layout
  }
}
