import Glibc
import TestSupport
import Testing

/// Jobs over several hosts, and what can happen to a host and to its link.
@Suite(.serialized, simulatesHosts) struct HostTests {
  /// A training on hosts that go from one step to the next in some milliseconds; it says soon whom it waits for.
  private static let command = Workspace.slowCommand("run", ["training.timeout=3", "checkpoint.every=2"])

  /// Expects that a run goes on to the state of one that nothing has happened to.
  private func expectToGoOn(_ place: Workspace) throws {
    let steps = place.lastStep("run") + 3
    try place.output(ranks: 2, Workspace.slowCommand("run", steps: steps))
    try place.output(ranks: 1, Workspace.slowCommand("whole", steps: steps))
    #expect(try place.inspect("run") == place.inspect("whole"))
  }

  /// A job on two hosts of two ranks that has begun to train.
  private func withJob(_ body: (Workspace, SimulatedHosts, RunningProcess) throws -> Void) throws {
    try Workspace.with { place in
      try place.makeTales()
      let hosts = try SimulatedHosts(2)
      let job = try hosts.start(ranks: [2, 2], Self.command, directory: place.path)
      try #require(job.wait { place.lastStep("run") > 4 })
      try body(place, hosts, job)
    }
  }

  /// Expects that no process of the program runs on a host within 20 seconds.
  private func expectNobody(on host: Int, of hosts: SimulatedHosts) {
    for _ in 0..<2000 where !hosts.processes(of: "seqtrain", on: host).isEmpty { usleep(10_000) }
    #expect(hosts.processes(of: "seqtrain", on: host) == [])
  }

  /// Expects that a job ends with one message for a host that does not come. mpirun would wait for it for ever, and is killed.
  private func expectTimeout(_ job: RunningProcess, naming host: String) throws {
    let result = try job.wait()
    #expect(result.status == 128 + SIGKILL && !result.timedOut, "\(result)")
    let messages = result.errors.split(separator: "\n").filter { $0.hasPrefix("seqtrain: error: ") }
    #expect(messages.count == 1, "\(result)")
    #expect(
      messages.first?.contains("waited 3 s (training.timeout), since 20") == true
        && messages.first?.contains(host) == true, "\(result)")
  }

  @Test func `the ranks of hosts, equal or not, come to the same state`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let hosts = try SimulatedHosts(3)
      let settings = ["training.shards=8", "training.accumulate=2", "checkpoint.every=0"]
      for (steps, ranks) in [(4, [4, 4]), (8, [4, 3, 1]), (12, [2, 2, 2])] {
        let job = try hosts.start(
          ranks: ranks, Workspace.slowCommand("run", steps: steps, settings), directory: place.path)
        let result = try job.wait()
        #expect(result.status == 0, "\(ranks): \(result)")
        #expect(result.output.contains("\(ranks.reduce(0, +)) ranks on \(ranks.count) hosts"), "\(result)")
      }
      try place.output(ranks: 8, Workspace.slowCommand("whole", steps: 12, settings))
      #expect(try place.inspect("run") == place.inspect("whole"))
    }
  }

  /// Beyond what starts and ends a job: between trainings of more steps and of fewer.
  @Test(arguments: [[1, 1], [2, 2], [1, 1, 1, 1]])
  func `a host sends what the sum of gradients and the weights take, whatever its ranks`(_ ranks: [Int])
    throws
  {
    try Workspace.with { place in
      try place.makeTales()
      let hosts = try SimulatedHosts(ranks.count)
      let settings = [
        "model.hidden=256", "training.lanes=4", "training.chunk=4", "evaluation.every=0",
        "checkpoint.every=0",
      ]
      func sent(_ run: String, steps: Int) throws -> [Int] {
        let before = try (1...ranks.count).map(hosts.sentBytes)
        let command = Workspace.slowCommand(run, steps: steps, settings)
        let result = try hosts.start(ranks: ranks, command, directory: place.path).wait()
        #expect(result.status == 0, "\(result)")
        return try zip((1...ranks.count).map(hosts.sentBytes), before).map { $0 - $1 }
      }
      let (few, many) = (try sent("few", steps: 10), try sent("many", steps: 40))
      let bytes = Double(4 * (try place.inspect("many").parameters))
      let least = 2 * bytes * (1 - 1 / Double(ranks.count))
      for (few, many) in zip(few, many) {
        let share = Double(many - few) / 30 / least
        #expect(share > 0.9 && share <= 1.05, "\(share) of \(least)")
      }
    }
  }

  @Test func `a host whose link is cut is named, and nothing is lost`() throws {
    try withJob { place, hosts, job in
      try hosts.setLink(of: 2, isUp: false)
      try expectTimeout(job, naming: hosts.name(of: 2))
      for host in 1...2 { expectNobody(on: host, of: hosts) }
      try expectToGoOn(place)
    }
  }

  @Test func `a link that is down for two seconds costs no more than that`() throws {
    try withJob { place, hosts, job in
      try hosts.setLink(of: 2, isUp: false)
      usleep(2_000_000)
      try hosts.setLink(of: 2, isUp: true)
      let step = place.lastStep("run")
      #expect(job.wait { place.lastStep("run") > step + 2 })
      job.signal(SIGUSR1)
      #expect(try job.wait().status == 3)
      try expectToGoOn(place)
    }
  }

  @Test func `a host that is suspended is named, and nothing is lost`() throws {
    try withJob { place, hosts, job in
      for process in hosts.processes(on: 2) { kill(process, SIGSTOP) }
      try expectTimeout(job, naming: hosts.name(of: 2))
      expectNobody(on: 1, of: hosts)
      // It can't end before it goes on.
      for process in hosts.processes(on: 2) { kill(process, SIGCONT) }
      expectNobody(on: 2, of: hosts)
      try expectToGoOn(place)
    }
  }

  @Test(arguments: ["seqtrain", "orted"])
  func `a process that is killed on another host ends the job, and nothing is lost`(_ program: String) throws
  {
    try withJob { place, hosts, job in
      let process = try #require(hosts.processes(of: program, on: 2).first)
      kill(process, SIGKILL)
      let result = try job.wait()
      #expect(result.status != 0 && !result.timedOut, "\(result)")
      for host in 1...2 { expectNobody(on: host, of: hosts) }
      try expectToGoOn(place)
    }
  }

  @Test func `a job on another host is told who has the directory`() throws {
    try withJob { place, hosts, job in
      let other = try hosts.start(on: 2, Self.command, directory: place.path).wait()
      expectRefusal(
        other, ["run is in use by process ", " on \(hosts.name(of: 1)); wait for it or stop it there"])
      job.signal(SIGUSR1)
      #expect(try job.wait().status == 3)
    }
  }
}
