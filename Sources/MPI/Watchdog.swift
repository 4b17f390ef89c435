import FileSystem
import Preconditions
import Synchronization
import Threads

/// Ends the job where this rank waits too long for others, and says which have not come.
///
/// A thread looks at the process's `WaitClock` from time to time and copies it to memory that the ranks of the host share,
/// with the time of its look. So a rank that waits sees which of the others do not: they are at something else, or they are
/// stopped, and their last look is long ago. Where all ranks of the host wait, it is for those of other hosts. The first
/// rank that has waited too long reports that and ends, and `mpirun` ends the others. What trains is not slowed.
package final class Watchdog {
  private let host: Communicator
  private let memory: SharedMemory
  private let watch: Watch
  private var thread: RepeatingThread?

  /// Begins to watch; nil where ranks may wait for any time. Collective.
  ///
  /// - Parameters:
  ///   - timeout: The seconds after which a rank has waited too long; 0 for none.
  ///   - outcome: What has become of the job where it is ended, and what to do, for the report.
  /// - Throws: `JobError` where the system has not the memory that ranks share; `MPIError`, `ThreadError`.
  package static func begin(_ communicator: Communicator, timeout: Int, outcome: String) throws -> Watchdog? {
    timeout > 0 ? try Watchdog(communicator, timeout: timeout, outcome: outcome) : nil
  }

  private init(_ communicator: Communicator, timeout: Int, outcome: String) throws {
    let host = try communicator.splitByHost()
    let memory = try communicator.agree { try SharedMemory(host, byteCount: MemoryLayout<Sign>.size) }
    let names = try communicator.hosts.ranks.map { ranks in
      try communicator.broadcast(hostName(), from: ranks.lowerBound)
    }
    let watch = Watch(communicator, memory, hostNames: names, timeout: timeout, outcome: outcome)
    try memory.synchronize()
    self.host = host
    self.memory = memory
    self.watch = watch
    thread = try RepeatingThread(every: watch.interval) { watch.look() }
  }

  /// Tells which step this rank is at, for the report.
  package func begin(step: Int) { watch.own.pointee.step.store(step, ordering: .relaxed) }

  /// Ends watching; call before the ranks wait for one another for other reasons. Collective.
  ///
  /// - Throws: `MPIError`.
  package func free() throws {
    thread = nil
    try memory.free()
    try host.free()
  }
}

/// What a rank tells the others of its host; times are those of `WaitClock.now()`.
private struct Sign: ~Copyable {
  /// When the rank's watchdog last looked.
  let looked = Atomic(WaitClock.now())
  /// When the rank's wait began; 0 where it does not wait.
  let waitsSince = Atomic(0)
  /// The step that it is at; 0 of a job that has none.
  let step = Atomic(0)
  /// Of the first rank of the host: whether one of its ranks has reported.
  let hasReported = Atomic(false)
}

/// The thread's side of a watchdog.
private final class Watch: @unchecked Sendable {
  // Unchecked, since the signs are atomic, and the thread alone uses what changes.
  /// Seconds between two looks.
  let interval: Double
  private let signs: [UnsafeMutablePointer<Sign>]
  private let hosts: Hosts
  private let hostIndex: Int
  private let place: Int
  private let hostNames: [String]
  private let timeout: Int
  private let outcome: String
  private let limit: Int
  private var lastLook = WaitClock.now()
  private var waitsSince = 0
  private var waited = 0

  init(
    _ communicator: Communicator, _ memory: SharedMemory, hostNames: [String], timeout: Int, outcome: String
  ) {
    hosts = communicator.hosts
    hostIndex = hosts.host(of: communicator.rank)
    place = communicator.rank - hosts.ranks[hostIndex].lowerBound
    self.hostNames = hostNames
    self.timeout = timeout
    self.outcome = outcome
    limit = timeout * 1_000_000_000
    interval = min(1, Double(timeout) / 10)
    signs = (0..<hosts.ranks[hostIndex].count).map { place in
      guard let base = memory.segment(of: place).baseAddress else {
        preconditionFailure("each rank's segment has room for its sign")
      }
      return base.bindMemory(to: Sign.self, capacity: 1)
    }
    signs[place].initialize(to: Sign())
  }

  /// That of this rank.
  var own: UnsafeMutablePointer<Sign> { signs[place] }

  /// Shows the others what this rank does, and ends the job where it has waited too long.
  func look() {
    let (clock, now) = (WaitClock.own, WaitClock.now())
    let start = clock.start
    // A process that was suspended has not waited meanwhile.
    waited = start != 0 && start == waitsSince ? waited + min(now - lastLook, Int(2e9 * interval)) : 0
    (waitsSince, lastLook) = (start, now)
    own.pointee.waitsSince.store(start, ordering: .relaxed)
    own.pointee.looked.store(now, ordering: .relaxed)
    guard waited >= limit else { return }
    let stopped = ranks { now - $0.pointee.looked.load(ordering: .relaxed) > limit / 2 }
    if clock.isLimited {
      let busy = ranks { $0.pointee.waitsSince.load(ordering: .relaxed) == 0 }
      endIfFirst(absent: Set(stopped + busy).sorted())
    } else if !stopped.isEmpty {
      // What a rank writes may take any time, but not where it has been stopped meanwhile.
      endIfFirst(absent: stopped)
    }
  }

  /// The ranks of this host whose signs say something.
  private func ranks(where holds: (UnsafeMutablePointer<Sign>) -> Bool) -> [Int] {
    zip(hosts.ranks[hostIndex], signs).filter { holds($0.1) }.map(\.0)
  }

  private func endIfFirst(absent: [Int]) {
    // The host whose rank is missing knows best; of the others, one after another.
    let patience = absent.isEmpty && hosts.count > 1 ? 2_000_000_000 * (hostIndex + 1) : 0
    guard waited >= limit + patience else { return }
    if signs[0].pointee.hasReported.exchange(true, ordering: .relaxed) { return }
    Environment.end(reporting: TimeoutError(description: message(absent: absent)))
  }

  private func message(absent: [Int]) -> String {
    let others = hosts.ranks.indices.filter { $0 != hostIndex }
    let missing =
      if !absent.isEmpty {
        "\(Self.words(absent)) of \(hostNames[hostIndex])"
      } else if !others.isEmpty {
        others.map { "\(Self.words(Array(hosts.ranks[$0]))) of \(hostNames[$0])" }.joined(separator: " or ")
      } else {
        "one another"
      }
    let step = own.pointee.step.load(ordering: .relaxed)
    return """
      \(step > 0 ? "step \(step): " : "")the ranks have waited \(timeout) s (training.timeout), since \
      \(Wording.timeOfDay(secondsAgo: waited / 1_000_000_000)), for \(missing), which may hang, be suspended or cut off; \
      \(outcome)
      """
  }

  private static func words(_ ranks: [Int]) -> String {
    guard let first = ranks.first, let last = ranks.last, ranks.count > 1 else {
      return ranks.first.map { "rank \($0)" } ?? ""
    }
    let isRange = ranks.count > 2 && last - first + 1 == ranks.count
    return "ranks \(isRange ? "\(first) to \(last)" : ranks.map(String.init).joined(separator: ", "))"
  }
}

/// A rank has waited too long for others.
private struct TimeoutError: Error, CustomStringConvertible {
  let description: String
}
