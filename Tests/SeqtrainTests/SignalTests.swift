import Glibc
import TestSupport
import Testing

/// A signal has a run write a checkpoint after its step, and stop with status 3.
@Suite(.serialized) struct SignalTests {
  private static let stopping =
    "seqtrain: stopping after this step, with a checkpoint; Ctrl-C ends it at once"

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
        #expect(result.status == 3, "\(target): \(result)")
        // The first rank says at once what happens.
        let messages = result.errors.split(separator: "\n").filter { $0.hasPrefix("seqtrain: ") }
        #expect(messages == (target == .last ? [] : [Self.stopping[...]]), "\(target): \(result)")
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

  /// Weights that take seconds to make: the signal comes when the run has said what it is.
  @Test(arguments: [1, 2])
  func `a run that has no weights yet stops at once, and then begins`(_ ranks: Int) throws {
    try Workspace.with { place in
      try place.makeTales()
      let command =
        ["train", "--run", "run"]
        + set([
          "data.path=tales.h5", "model.cell=rnn", "model.hidden=1024", "model.embedding=8", "model.layers=24",
          "training.optimizer.name=sgd", "training.lanes=2", "training.shards=2", "training.chunk=8",
          "training.steps=1", "evaluation.every=0",
        ])
      let slow = ["SEQTRAIN_ISA": "generic"]
      let job = try startJob(ranks: ranks, "seqtrain", command, environment: slow, directory: place.path)
      try #require(job.wait { (try? readBytes(place("run/run.log")))?.count ?? 0 > 0 })
      job.signal(SIGUSR1)
      let stopped = try job.wait()
      #expect(stopped.status == 3, "\(stopped)")
      let words = ": stopped before the first step; the same command begins"
      #expect(stopped.output.contains(words), "\(stopped)")
      #expect(try directoryEntries(place("run/checkpoints")).isEmpty)
      let result = try place.seqtrain(ranks: ranks, command)
      #expect(result.status == 0 && result.output.contains("finished at step 1"), "\(result)")
    }
  }

  /// MPI has not started on any rank before it has on the last, which waits for a file.
  @Test func `a signal before MPI has started stops the run before its first step`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let wait = #"[ "$OMPI_COMM_WORLD_RANK" = 0 ] || until [ -e go ]; do sleep 0.1; done; exec "$@""#
      let job = try RunningProcess(
        "mpirun",
        [
          "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2", "sh", "-c", wait, "sh",
          try builtProgram("seqtrain"),
        ] + Workspace.slowCommand("run"), directory: place.path)
      try #require(job.wait { try job.ranks().first.map { catches(SIGUSR1, $0) } == true })
      kill(try #require(try job.ranks().first), SIGUSR1)
      try place.write("go", "")
      let result = try job.wait()
      #expect(result.status == 3 && result.errors.contains(Self.stopping), "\(result)")
      #expect(result.output.contains("SIGUSR1: stopped before the first step; the same command begins"))
    }
  }

  /// Whether a process has a handler for a signal.
  private func catches(_ number: Int32, _ process: pid_t) -> Bool {
    let status = (try? readBytes("/proc/\(process)/status")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let mask = status.firstMatch(of: /SigCgt:\s*([0-9a-f]+)/).flatMap { UInt64($0.1, radix: 16) } ?? 0
    return mask & 1 << UInt64(number - 1) != 0
  }

  @Test(arguments: [SIGUSR1, SIGTERM, SIGINT, SIGHUP])
  func `a process by itself stops so too`(_ number: Int32) throws {
    try Workspace.with { place in
      try place.makeTales()
      let process = try RunningProcess(
        try builtProgram("seqtrain"), Workspace.slowCommand("run"), directory: place.path)
      try #require(process.wait { place.lastStep("run") > 0 })
      process.signal(number)
      let result = try process.wait()
      #expect(result.status == 3 && result.errors == "\(Self.stopping)\n", "\(result)")
      #expect(try place.inspect("run").step > 0)
    }
  }

  @Test func `a second SIGINT ends a process at once`() throws {
    try Workspace.with { place in
      try place.makeTales()
      // Steps of about a second.
      let process = try RunningProcess(
        try builtProgram("seqtrain"), Workspace.slowCommand("run", ["training.accumulate=300"]),
        directory: place.path)
      try #require(process.wait { place.lastStep("run") > 0 })
      process.signal(SIGINT)
      try #require(process.wait { try process.errorsSoFar().contains(Self.stopping) })
      process.signal(SIGINT)
      let result = try process.wait()
      #expect(result.status == 128 + SIGINT, "\(result)")
      #expect(try directoryEntries(place("run/checkpoints")) == [])
    }
  }

  /// What a shell sends that continues a stopped process, but not mpirun.
  @Test func `SIGCONT stops no process by itself`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let process = try RunningProcess(
        try builtProgram("seqtrain"), Workspace.slowCommand("run"), directory: place.path)
      try #require(process.wait { place.lastStep("run") > 0 })
      process.signal(SIGSTOP)
      process.signal(SIGCONT)
      let step = place.lastStep("run")
      #expect(process.wait { place.lastStep("run") > step + 1 })
      process.signal(SIGUSR1)
      #expect(try process.wait().status == 3)
    }
  }

  /// The validation takes far longer than `mpirun` waits before it kills its ranks.
  @Test(arguments: [SIGTERM, SIGINT])
  func `a signal to mpirun breaks off a validation and saves the step`(_ number: Int32) throws {
    try Workspace.with { place in
      let text = (0..<400_000).map { "\($0 * $0 % 1009) " }.joined()
      try place.write("t.txt", text)
      try place.output(["data", "import", "text", "t.txt", "--split", "0.1,0.9", "--output", "d.h5"])
      let settings = set([
        "data.path=d.h5", "model.hidden=512", "model.embedding=16", "training.lanes=16", "training.chunk=8",
        "training.shards=2", "training.steps=9", "training.log_every=1", "evaluation.every=1",
      ])
      let job = try startJob(
        ranks: 2, "seqtrain", ["train", "--run", "run"] + settings,
        environment: ["OMPI_MCA_odls_base_sigkill_timeout": "3"], directory: place.path)
      try #require(job.wait { place.lastStep("run") == 1 })
      job.signal(number)
      let result = try job.wait()
      #expect(result.status != 0, "\(result)")
      #expect(
        result.errors.contains(
          "seqtrain: mpirun is ending or continuing the job: stopping after this step, with a checkpoint "),
        "\(result)")
      #expect(
        result.output.contains(
          "a signal to mpirun: stopped after step 1, with a checkpoint; the same command continues, with the "
            + "validation of this step"), "\(result)")
      #expect(!result.output.contains("  validation "))
      #expect(try place.inspect("run").step == 1)
    }
  }
}
