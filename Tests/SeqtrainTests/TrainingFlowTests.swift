import TestSupport
import Testing

/// The program as its users start it.
@Suite(.serialized) struct TrainingFlowTests {
  /// A small run on a short generated text.
  private func train(ranks: Int, run: String, data: String, steps: Int, _ more: [String] = []) throws
    -> ProcessResult
  {
    let settings = [
      "data.path=\(data)", "model.hidden=24", "model.embedding=8", "model.dropout=0.1", "training.shards=8",
      "training.lanes=8", "training.chunk=16", "training.steps=\(steps)", "evaluation.every=15",
    ]
    return try mpirun(
      ranks: ranks, "seqtrain", ["train", "--run", run] + settings.flatMap { ["--set", $0] } + more)
  }

  private func inspect(_ run: String) throws -> String {
    let result = try mpirun(ranks: 1, "seqtrain", ["inspect", run, "--json"])
    #expect(result.status == 0, "\(result)")
    return result.output
  }

  private func makeData(_ path: String) throws {
    let result = try mpirun(
      ranks: 1, "seqtrain", ["data", "generate", "grammar", "--characters", "20000", "--output", path])
    #expect(result.status == 0, "\(result)")
  }

  @Test func `any ranks and any stops come to the same digest`() throws {
    try withTemporaryDirectory { directory in
      let data = "\(directory)/data.h5"
      try makeData(data)
      for ranks in [1, 2, 3, 8] {
        let result = try train(ranks: ranks, run: "\(directory)/\(ranks)", data: data, steps: 30)
        #expect(result.status == 0, "\(result)")
      }
      for (ranks, steps) in [(2, 10), (8, 20), (1, 30)] {
        let result = try train(ranks: ranks, run: "\(directory)/chain", data: data, steps: steps)
        #expect(result.status == 0, "\(result)")
      }
      let expected = try inspect("\(directory)/1")
      #expect(expected.contains("\"digest\""))
      for run in ["2", "3", "8", "chain"] { #expect(try inspect("\(directory)/\(run)") == expected) }
    }
  }
}
