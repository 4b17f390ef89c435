import Glibc
import TestSupport
import Testing

/// Ranks that do not come any more, and launchers that are gone.
@Suite(.serialized) struct HangTests {
  @Test(arguments: [0, 1])
  func `a rank that is suspended is named, and the job ends`(_ victim: Int) throws {
    try Workspace.with { place in
      try place.makeTales()
      let job = try place.start(
        ranks: 3, Workspace.slowCommand("run", ["training.timeout=2", "checkpoint.every=5"]))
      try #require(job.wait { place.lastStep("run") > 5 })
      kill(try job.ranks()[victim], SIGSTOP)
      let result = try job.wait()
      expectRefusal(result, ["for rank \(victim) of ", "waited 2 s (training.timeout), since 20"])
      let step = try #require(result.errors.firstMatch(of: #/error: step (\d+): /#).flatMap { Int($0.1) })
      #expect([0, 1, 2].contains(step - place.lastStep("run")), "\(result)")
      #expect(try place.inspect("run").step <= step)
    }
  }

  @Test(arguments: [
    (["eval", "run", "--decode", "--output", "e.h5"], 1),
    (["translate", "run", "--data", "d.h5", "--alignment", "a.h5"], 2),
    (["translate", "run", "--data", "d.h5", "--alignment", "a.h5"], 0),
  ])
  func `a rank that is suspended ends an evaluation and a translation too`(
    _ command: [String], _ victim: Int
  ) throws {
    try Workspace.with { place in
      try place.output(["data", "generate", "reverse", "--streams", "60000", "--output", "d.h5"])
      try place.output(
        ["train", "--run", "run", "--data", "d.h5"]
          + set([
            "training.timeout=2", "training.steps=1", "evaluation.every=0", "model.hidden=64",
            "training.lanes=24",
          ]))
      let job = try place.start(ranks: 3, command + (command[0] == "eval" ? ["--split", "train"] : []))
      // The new file is begun when the ranks are about to decode.
      try #require(job.wait { try place.entries.contains { $0.hasSuffix(".partial") } })
      kill(try job.ranks()[victim], SIGSTOP)
      let result = try job.wait()
      expectRefusal(
        result, ["waited 2 s (training.timeout), since 20", "for rank \(victim) of ", "begins anew"])
      #expect(!result.errors.contains("step "))
      #expect(try !place.entries.contains(where: ["e.h5", "a.h5"].contains))
    }
  }

  @Test func `a job that is suspended as a whole goes on`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let job = try place.start(ranks: 2, Workspace.slowCommand("run", ["training.timeout=1"]))
      try #require(job.wait { place.lastStep("run") > 0 })
      let ranks = try job.ranks()
      for rank in ranks { kill(rank, SIGSTOP) }
      usleep(2_500_000)
      for rank in ranks { kill(rank, SIGCONT) }
      let step = place.lastStep("run")
      #expect(job.wait { place.lastStep("run") > step + 1 })
      job.signal(SIGUSR1)
      #expect(try job.wait().status == 3)
    }
  }

  @Test func `where mpirun is killed no rank, no shared memory and no folder stays`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let job = try place.start(ranks: 2, Workspace.slowCommand("run"))
      try #require(job.wait { place.lastStep("run") > 0 })
      let ranks = try job.ranks()
      try #require(ranks.count == 2)
      let memory = try JobMemory(ofRank: ranks[0])
      let folder = try #require(try variable("OMPI_MCA_orte_jobfam_session_dir", of: ranks[0]))
      #expect(access(folder, F_OK) == 0)
      #expect(try memory.leftovers != [])
      job.signal(SIGKILL)
      _ = try job.wait()
      #expect(try comesTrue { try !ranks.contains(where: runs) && memory.leftovers == [] })
      #expect(comesTrue { access(folder, F_OK) != 0 })
    }
  }

  /// Without Open MPI's daemon, which would notice as well: a shell that says it is a launcher.
  @Test func `a rank whose launcher is gone ends`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let launcher = try RunningProcess(
        "sh",
        ["-c", #""$@" & wait"#, "sh", try builtProgram("seqtrain")] + Workspace.slowCommand("run"),
        environment: ["PMI_RANK": "0", "OMPI_MCA_ess_singleton_isolated": "1"], directory: place.path)
      try #require(launcher.wait { place.lastStep("run") > 0 })
      let rank = try #require(try launcher.children().first)
      launcher.signal(SIGKILL)
      _ = try launcher.wait()
      #expect(comesTrue { !runs(rank) })
      kill(rank, SIGKILL)
    }
  }

  /// Whether something holds within ten seconds.
  private func comesTrue(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<1000 {
      if try condition() { return true }
      usleep(10_000)
    }
    return false
  }

  /// Whether a process has not ended.
  private func runs(_ process: pid_t) -> Bool {
    guard let status = try? readBytes("/proc/\(process)/stat") else { return false }
    return String(decoding: status, as: UTF8.self).split(separator: ")").last?.hasPrefix(" Z") == false
  }
}
