import Glibc
import Synchronization

/// What this process knows of its waits for other ranks: how long they have taken, and whether one goes on.
///
/// One thread waits, the one that trains; others may look.
package final class WaitClock: Sendable {
  /// That of this process, which is one rank.
  package static let own = WaitClock()

  private let finished = Atomic(0)
  private let begun = Atomic(0)
  private let isUnlimited = Atomic(false)

  /// Runs `body`, which waits for other ranks. A wait inside another one is part of it.
  package func during<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard begun.load(ordering: .relaxed) == 0 else { return try body() }
    let start = Self.now()
    begun.store(start, ordering: .relaxed)
    defer {
      begun.store(0, ordering: .relaxed)
      finished.wrappingAdd(Self.now() - start, ordering: .relaxed)
    }
    return try body()
  }

  /// Runs `body`, in which waits may take any time: those for what another rank writes.
  package func withoutLimit<Result>(_ body: () throws -> Result) rethrows -> Result {
    isUnlimited.store(true, ordering: .relaxed)
    defer { isUnlimited.store(false, ordering: .relaxed) }
    return try body()
  }

  /// What all finished waits have taken, in seconds.
  package var seconds: Double { Double(finished.load(ordering: .relaxed)) * 1e-9 }

  /// When the wait began that goes on, as `now()` gives it; 0 where this process does not wait.
  var start: Int { begun.load(ordering: .relaxed) }

  /// Whether that wait may end the job.
  var isLimited: Bool { !isUnlimited.load(ordering: .relaxed) }

  /// Nanoseconds of the host's clock, which all its processes read alike.
  static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
