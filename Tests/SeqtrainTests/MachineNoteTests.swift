import TestSupport
import Testing

/// What a job says of the machine.
@Suite struct MachineNoteTests {
  private func warnings(_ command: [String], environment: [String: String?]) throws -> [Substring] {
    let result = try mpirun(ranks: 2, "seqtrain", command, environment: environment)
    #expect(result.status == 0, "\(result)")
    return (result.output + result.errors).split(separator: "\n").filter { $0.contains("warning") }
  }

  @Test func `emulation and threads that nobody uses are told once`() throws {
    try withTemporaryDirectory { directory in
      let bench = ["bench", "--hidden", "8", "--steps", "1", "--warmup", "0", "--precision"]
      let train = [
        "train", "--run", "\(directory)/run", "--set", "training.steps=1", "--set", "model.hidden=8", "--set",
      ]
      for command in [bench + ["bfloat16"], train + ["training.precision=bfloat16"]] {
        let told = try warnings(
          command, environment: ["SEQTRAIN_ISA": "generic", "OMP_NUM_THREADS": "100000"])
        #expect(told.count == 2, "\(told)")
        #expect(told.contains { $0.contains("bfloat16 is emulated") }, "\(told)")
        #expect(told.contains { $0.contains("OMP_NUM_THREADS is 100000") }, "\(told)")
      }
      #expect(try warnings(bench + ["float32"], environment: ["OMP_NUM_THREADS": "1"]) == [])
    }
  }
}
