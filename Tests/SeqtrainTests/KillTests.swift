import Glibc
import TestSupport
import Testing

/// Ranks that are killed, as by a system that has run out of memory or a node that fails.
@Suite(.serialized) struct KillTests {
  /// Another number in this variable gives other kills; the one that is printed gives the same again.
  private static let seedVariable = "SEQTRAIN_KILL_SEED"

  /// Five kills, each followed by the same command on another number of ranks; then the run is left to finish. With shards for
  /// the ranks, and with blocks of time steps.
  @Test(arguments: [
    [], ["model.cell=[mingru, conv]", "training.shards=1", "training.time_blocks=4"],
  ])
  func `after any kills the state is that of the uninterrupted run`(_ settings: [String]) throws {
    let given = getenv(Self.seedVariable).flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: 0..<1_000_000)
    print("kills of seed \(seed); \(Self.seedVariable)=\(seed) gives the same again")
    var random = SplitMix(state: seed)
    try Workspace.with { place in
      try place.makeTales()
      for round in 1...5 {
        let ranks = Int.random(in: 2...4, using: &random)
        // Every other round the writer is met while it writes, else anyone at any time.
        let meetsWriter = round % 2 == 0
        let victim = meetsWriter ? 0 : Int.random(in: 0..<ranks, using: &random)
        let moment = (
          steps: Int.random(in: 1...5, using: &random), delay: UInt32.random(in: 0..<40_000, using: &random)
        )
        let report = "seed \(seed), round \(round): rank \(victim) of \(ranks)"
        try kill(place, settings, ranks, victim, meetsWriter ? nil : moment, report)
      }

      let steps = place.lastStep("run") + 5
      let ranks = Int.random(in: 1...4, using: &random)
      let last = try place.seqtrain(ranks: ranks, Workspace.slowCommand("run", steps: steps, settings))
      #expect(last.status == 0 && !last.errors.contains("seqtrain: "), "seed \(seed): \(last)")
      try place.output(
        ranks: 2, Workspace.slowCommand("whole", steps: steps, settings + ["checkpoint.every=0"]))
      #expect(try place.inspect("run") == place.inspect("whole"), "seed \(seed)")
      // What a kill has left half-written is gone.
      #expect(
        try directoryEntries(place("run/checkpoints")).filter { !$0.hasPrefix("step-") } == ["best.h5"],
        "seed \(seed)")
    }
  }

  /// Starts the job and kills a rank of it: so many steps and microseconds later, or while it writes a checkpoint.
  private func kill(
    _ place: Workspace, _ settings: [String], _ ranks: Int, _ victim: Int,
    _ moment: (steps: Int, delay: UInt32)?, _ report: String
  ) throws {
    let step = place.lastStep("run") + (moment?.steps ?? 1)
    let job = try place.start(ranks: ranks, Workspace.slowCommand("run", settings + ["checkpoint.every=1"]))
    guard job.wait(until: { place.lastStep("run") >= step }) else {
      Issue.record("\(report): it does not go on: \(try job.wait(timeout: 0))")
      return
    }
    let processes = try job.ranks()
    try #require(processes.count == ranks, "\(report)")
    let memory = try JobMemory(ofRank: processes[victim])
    if let moment {
      usleep(moment.delay)
    } else {
      _ = try job.wait {
        try directoryEntries(place("run/checkpoints")).contains { $0.hasSuffix(".partial") }
      }
    }
    Glibc.kill(processes[victim], SIGKILL)
    let result = try job.wait()
    print("\(report) was killed at step \(place.lastStep("run"))\(moment == nil ? ", which wrote" : "")")
    #expect(!result.timedOut, "\(report): the job hangs: \(result)")
    #expect(result.status != 0, "\(report): \(result)")
    #expect(try memory.leftovers == [], "\(report)")
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
