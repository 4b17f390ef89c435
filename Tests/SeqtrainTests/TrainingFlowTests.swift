import TestSupport
import Testing

/// The program as its users start it.
@Suite(.serialized) struct TrainingFlowTests {
  private let settings = [
    "data.path=tales.h5", "model.hidden=24", "model.embedding=8", "model.dropout=0.1", "training.shards=8",
    "training.lanes=8", "training.chunk=16", "evaluation.every=15",
  ]

  @Test func `any ranks and any stops come to the same digest`() throws {
    try Workspace.with { place in
      try place.makeTales()
      func train(ranks: Int, _ run: String, steps: Int) throws {
        try place.output(
          ranks: ranks, ["train", "--run", run] + set(settings + ["training.steps=\(steps)"]))
      }
      for ranks in [1, 2, 3, 8] { try train(ranks: ranks, "\(ranks)", steps: 30) }
      for (ranks, steps) in [(2, 10), (8, 20), (1, 30)] { try train(ranks: ranks, "chain", steps: steps) }
      let expected = try place.inspect("1")
      #expect(expected.step == 30)
      for run in ["2", "3", "8", "chain"] { #expect(try place.inspect(run) == expected) }
    }
  }
}
