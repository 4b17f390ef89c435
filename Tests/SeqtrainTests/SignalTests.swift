import Glibc
import TestSupport
import Testing

/// A signal has a run write a checkpoint after its step, and stop with status 3.
@Suite(.serialized) struct SignalTests {
  /// Who is sent what.
  enum Target: CaseIterable { case mpirun, first, last }

  @Test func `a run that is stopped goes on as if nothing had been`() throws {
    try Workspace.with { place in
      try place.makeTales()
      var step = 0
      for (ranks, target) in zip([3, 2, 4], Target.allCases) {
        let job = try place.start(ranks: ranks, Workspace.slowCommand("run", ["checkpoint.every=0"]))
        try #require(job.wait { place.lastStep("run") > step })
        switch target {
        case .mpirun: job.signal(SIGUSR1)
        case .first: kill(try #require(try job.ranks().first), SIGUSR1)
        case .last: kill(try #require(try job.ranks().last), SIGUSR1)
        }
        let result = try job.wait()
        #expect(result.status == 3 && !result.errors.contains("seqtrain: "), "\(target): \(result)")
        let cause = target == .last ? "a signal on another rank" : "SIGUSR1"
        let reached = try place.inspect("run").step
        #expect(reached > step)
        #expect(
          result.output.contains(
            "\(cause): stopped after step \(reached), with a checkpoint; the same command continues"),
          "\(target): \(result)")
        step = reached
      }
      let steps = step + 5
      let last = try place.output(ranks: 1, Workspace.slowCommand("run", steps: steps))
      #expect(last.contains("resumed at step \(step)"))
      try place.output(ranks: 2, Workspace.slowCommand("whole", steps: steps))
      #expect(try place.inspect("run") == place.inspect("whole"))
    }
  }

  @Test func `the step in which a signal comes is the last`() throws {
    try Workspace.with { place in
      try place.makeTales()
      // Steps of about a second.
      let process = try RunningProcess(
        try builtProgram("seqtrain"), Workspace.slowCommand("run", ["training.accumulate=300"]),
        directory: place.path)
      try #require(process.wait { place.lastStep("run") > 0 })
      process.signal(SIGUSR1)
      let made = place.lastStep("run")
      let result = try process.wait()
      #expect(result.status == 3, "\(result)")
      #expect(try place.inspect("run").step <= made + 1)
    }
  }

  @Test(arguments: [SIGUSR1, SIGTERM, SIGINT])
  func `a process by itself stops so too`(_ number: Int32) throws {
    try Workspace.with { place in
      try place.makeTales()
      let process = try RunningProcess(
        try builtProgram("seqtrain"), Workspace.slowCommand("run"), directory: place.path)
      try #require(process.wait { place.lastStep("run") > 0 })
      process.signal(number)
      let result = try process.wait()
      #expect(result.status == 3 && result.errors.isEmpty, "\(result)")
      #expect(try place.inspect("run").step > 0)
    }
  }
}
