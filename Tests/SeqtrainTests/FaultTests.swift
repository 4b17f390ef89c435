import Glibc
import TestSupport
import Testing

/// Files that can't be read or written any more, a clock that jumps, data that are replaced: while a job trains.
///
/// Other faults are in suites of their own: ranks and launchers that are killed in `KillTests`, suspended in `HangTests`; hosts
/// and their links in `HostTests`; full and read-only disks in `DiskTests`; memory in `MemoryTests`; damaged files in
/// `DamageTests`; two jobs in one directory in `ResumeTests` and `HostTests`; numbers that are not finite, and bits that flip,
/// in `TrainingFailureTests`.
@Suite(
  .serialized, .enabled(if: FaultyCalls.canBuild, "there is no clang, which builds a library of faulty calls")
)
struct FaultTests {
  /// Starts a training whose calls may fail, and waits until it has made some steps.
  private func withJob(
    filesNamed names: String = "nothing", _ settings: [String] = [],
    _ body: (Workspace, FaultyCalls, RunningProcess) throws -> Void
  ) throws {
    try Workspace.with { place in
      try place.makeTales()
      let calls = try FaultyCalls(place, filesNamed: names)
      let command = Workspace.slowCommand("run", ["checkpoint.every=2"] + settings)
      let job = try startJob(
        ranks: 2, "seqtrain", command, environment: calls.environment, directory: place.path)
      try #require(job.wait { place.lastStep("run") > 4 })
      try body(place, calls, job)
    }
  }

  /// Expects that a run goes on to the state of one that nothing has happened to.
  private func expectToGoOn(_ place: Workspace) throws {
    let steps = try place.inspect("run").step + 3
    try place.output(ranks: 1, Workspace.slowCommand("run", steps: steps))
    try place.output(ranks: 2, Workspace.slowCommand("whole", steps: steps))
    #expect(try place.inspect("run") == place.inspect("whole"))
  }

  @Test(arguments: ["/run/checkpoints/", "/run/metrics.jsonl"])
  func `a disk whose writes fail ends the job, which goes on when it works again`(_ names: String) throws {
    try withJob(filesNamed: names) { place, calls, job in
      try calls.breakFiles()
      let result = try job.wait()
      calls.mendFiles()
      expectRefusal(result, [String(names.dropFirst()), "Input/output error"])
      try expectToGoOn(place)
    }
  }

  @Test func `data that can't be read are told, and nothing is written`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let calls = try FaultyCalls(place, filesNamed: "tales.h5")
      try calls.breakFiles()
      let result = try startJob(
        ranks: 2, "seqtrain", Workspace.slowCommand("run"), environment: calls.environment,
        directory: place.path
      ).wait()
      expectRefusal(result, ["tales.h5"])
      #expect(!(try place.entries.contains("run")))
    }
  }

  @Test func `a clock that is set back changes nothing`() throws {
    try withJob { place, calls, job in
      try calls.setClockBack()
      let step = place.lastStep("run")
      #expect(job.wait { place.lastStep("run") > step + 5 })
      job.signal(SIGUSR1)
      #expect(try job.wait().status == 3)
      let rows = String(decoding: try readBytes(place("run/metrics.jsonl")), as: UTF8.self)
      let seconds = rows.matches(of: /"seconds":([0-9.e-]+)/).compactMap { Double($0.1) }
      #expect(seconds.count > 9 && zip(seconds, seconds.dropFirst()).allSatisfy(<=))
      try expectToGoOn(place)
    }
  }

  @Test func `data that are replaced while a job trains are not read, and the run is refused on them`() throws
  {
    try withJob { place, _, job in
      try place.makeTales("others.h5", seed: 2)
      rename(place("tales.h5"), place("kept.h5"))
      rename(place("others.h5"), place("tales.h5"))
      let step = place.lastStep("run")
      #expect(job.wait { place.lastStep("run") > step + 5 })
      job.signal(SIGUSR1)
      #expect(try job.wait().status == 3)
      expectRefusal(try place.seqtrain(ranks: 2, Workspace.slowCommand("run")), ["tales.h5"])
      rename(place("kept.h5"), place("tales.h5"))
      try expectToGoOn(place)
    }
  }
}
