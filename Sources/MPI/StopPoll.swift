/// Has all ranks of a loop that is no training step agree on whether to stop, in the same turn.
///
/// An agreement costs a message to each rank, so they agree only now and then, however short the turns are: the slowest rank's time
/// tells all of them which turn is next.
package struct StopPoll {
  private let communicator: Communicator
  /// Nanoseconds from one agreement to the next, about.
  private let interval: Int
  private let clock = ContinuousClock()
  private var last: ContinuousClock.Instant
  private var next = 0
  private var turns = 1

  /// Begins before the first turn.
  ///
  /// - Parameter seconds: From one agreement to the next, about.
  package init(_ communicator: Communicator, every seconds: Double = 0.1) {
    self.communicator = communicator
    interval = Int(seconds * 1e9)
    last = clock.now
  }

  /// Whether any rank asks to stop before this turn. Collective: every rank calls it for every turn.
  ///
  /// - Parameters:
  ///   - turn: The number of the turn, from 0.
  ///   - shouldStop: Whether this rank asks; not called in most turns.
  package mutating func stops(beforeTurn turn: Int, _ shouldStop: () -> Bool) throws -> Bool {
    guard turn == next else { return false }
    let now = clock.now
    let nanoseconds = Int((now - last) / .nanoseconds(1))
    let slowest = try communicator.maximum(shouldStop() ? .max : nanoseconds)
    guard slowest < .max else { return true }
    // From one turn on, at most twice as many as before: the first may be faster than the others.
    if turn > 0 { turns = max(1, min(2 * turns, turns * interval / max(1, slowest))) }
    (last, next) = (now, turn + turns)
    return false
  }
}
