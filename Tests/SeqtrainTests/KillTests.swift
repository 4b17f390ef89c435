import Glibc
import TestSupport
import Testing

/// Ranks that are killed, as by a system that has run out of memory or a node that fails.
@Suite(.serialized) struct KillTests {
  private static let steps = 80
  /// Another number in this variable gives other kills; the one that is printed gives the same again.
  private static let seedVariable = "SEQTRAIN_KILL_SEED"

  /// Five kills, each followed by the same command on another number of ranks; then the run is left to finish.
  @Test func `after any kills the state is that of the uninterrupted run`() throws {
    let given = getenv(Self.seedVariable).flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: 0..<1_000_000)
    print("kills of seed \(seed); \(Self.seedVariable)=\(seed) gives the same again")
    var random = SplitMix(state: seed)
    try Workspace.with { place in
      try place.makeTales()
      try place.output(ranks: 2, Workspace.slowCommand("whole", steps: Self.steps, ["checkpoint.every=0"]))
      let expected = try place.inspect("whole")

      let command = Workspace.slowCommand("run", steps: Self.steps, ["checkpoint.every=1"])
      var kills = 0
      for round in 1...5 {
        let ranks = Int.random(in: 2...4, using: &random)
        // Every other round the writer is met while it writes, else anyone at any time.
        let meetsWriter = round % 2 == 0
        let victim = meetsWriter ? 0 : Int.random(in: 0..<ranks, using: &random)
        let moment = (
          steps: Int.random(in: 1...5, using: &random), delay: UInt32.random(in: 0..<40_000, using: &random)
        )
        let report = "seed \(seed), round \(round): rank \(victim) of \(ranks)"
        if try kill(place, command, ranks, victim, meetsWriter ? nil : moment, report) { kills += 1 }
      }
      #expect(kills >= 3, "the run was finished before it was killed so often")

      let last = try place.seqtrain(ranks: Int.random(in: 1...4, using: &random), command)
      #expect(last.status == 0 && !last.errors.contains("seqtrain: "), "seed \(seed): \(last)")
      #expect(try place.inspect("run") == expected, "seed \(seed)")
      // What a kill has left half-written is gone.
      #expect(
        try directoryEntries(place("run/checkpoints")).filter { !$0.hasPrefix("step-") } == ["best.h5"],
        "seed \(seed)")
    }
  }

  /// Starts the job and kills a rank of it: so many steps and microseconds later, or while it writes a checkpoint.
  /// Returns whether the job was still there to be killed.
  private func kill(
    _ place: Workspace, _ command: [String], _ ranks: Int, _ victim: Int,
    _ moment: (steps: Int, delay: UInt32)?,
    _ report: String
  ) throws -> Bool {
    let step = place.lastStep("run") + (moment?.steps ?? 1)
    let job = try place.start(ranks: ranks, command)
    let isThere = job.wait { place.lastStep("run") >= step }
    guard isThere, case let processes = try job.children(), processes.count == ranks else {
      let result = try job.wait(timeout: 20)
      #expect(result.status == 0, "\(report): it did not go on: \(result)")
      return false
    }
    let memory = try JobMemory(ofRank: processes[victim])
    if let moment {
      usleep(moment.delay)
    } else {
      _ = try job.wait {
        try directoryEntries(place("run/checkpoints")).contains { $0.hasSuffix(".partial") }
      }
    }
    Glibc.kill(processes[victim], SIGKILL)
    let result = try job.wait(timeout: 20)
    print("\(report) was killed at step \(place.lastStep("run"))\(moment == nil ? ", which wrote" : "")")
    #expect(!result.timedOut, "\(report): the job hangs: \(result)")
    #expect(try memory.leftovers == [], "\(report)")
    return result.status != 0
  }
}

/// Numbers from a seed (Steele et al. 2014).
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
