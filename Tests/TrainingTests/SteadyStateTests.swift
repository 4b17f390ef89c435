import TestSupport
import Testing

/// A training that goes on and on: what each step does must have been allocated before.
@Suite struct SteadyStateTests {
  @Test(arguments: [
    ["model.cell=lstm"],
    ["model.cell=gru", "model.dropout=0.2", "model.layer_norm=true"],
    ["model.cell=[conv, gru]", "model.transition_layers=1", "model.output_layers=1"],
    ["model.cell=[mingru, lru]", "model.initial_state=learnt", "model.residual=true", "model.embedding=16"],
    ["model.cell=attention", "model.attention.memory=5"],
    ["model.cell=[mingru, lru, conv, mamba, s4d]", "model.layers=5", "training.time_blocks=2"],
    ["model.cell=[gru, attention]", "training.sampling.decay=linear", "training.sampling.steps=10"],
    ["model.cell=lstm", "model.discriminator.hidden=6"],
    ["training.accumulate=2", "training.non_finite=skip", "training.optimizer.name=sgd"],
  ])
  func aStepAllocatesNothing(settings: [String]) throws {
    try expectSteadyState(settings + ["training.steps=40"])
  }

  /// Two ranks that have a block each of the same lanes.
  @Test func `a step in which states pass between ranks allocates nothing`() throws {
    try expectSteadyState(
      [
        "model.cell=[mingru, conv, mamba]", "model.layers=3", "training.shards=1", "training.time_blocks=2",
        "training.steps=40",
      ], ranks: 2)
  }

  /// Streams of many lengths, sorted anew in each of several epochs.
  @Test(arguments: [["model.cell=lstm"], ["model.cell=[gru, attention]", "model.attention.heads=2"]])
  func aStepOverWholeStreamsAllocatesNothing(settings: [String]) throws {
    try expectSteadyState(
      settings + ["data.mode=whole", "model.bidirectional=true", "training.steps=200"],
      streams: (0..<300).map { 2 + $0 * 7 % 31 })
  }

  /// Through many epochs, in each of which the feeder reads the file anew.
  @Test func memoryDoesNotGrow() throws {
    try expectSteadyState(["training.steps=4000", "model.hidden=4", "model.embedding=2", "model.layers=1"])
  }

  /// On streams that the steps go through more than once.
  private func expectSteadyState(_ settings: [String], streams: [Int] = [50_000], ranks: Int = 1) throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: streams)
      let arguments = ["steady", "\(base)/data.h5", base] + smallSettings + settings
      let environment = ["OMP_NUM_THREADS": "1"]
      let result =
        ranks == 1
        ? try runProcess(builtProgram("MultiRank"), arguments, environment: environment)
        : try mpirun(ranks: ranks, "MultiRank", arguments, environment: environment)
      #expect(result.status == 0, "\(result)")
    }
  }
}
