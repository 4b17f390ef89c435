import Core
import MPI

/// Passes what tiles leave from rank to rank, by messages of their own kind.
///
/// No other thread calls MPI meanwhile: with these, gradients are not exchanged on a thread of their own.
final class StateMessages: TileMessages {
  private let communicator: Communicator
  private let plan: TilePlan
  private let leaving: PendingMessages
  private var failure: (any Error)?

  init(_ communicator: Communicator, _ plan: TilePlan) {
    self.communicator = communicator
    self.plan = plan
    leaving = PendingMessages(communicator, tag: PendingMessages.stateTag)
  }

  func send(_ values: UnsafeBufferPointer<Float>, toTile number: Int) {
    attempt { try leaving.send(values, to: plan.rank(ofTile: number)) }
  }

  func receive(into values: UnsafeMutableBufferPointer<Float>, fromTile number: Int) {
    attempt {
      try communicator.receive(
        into: values, from: plan.rank(ofTile: number), tag: PendingMessages.stateTag)
    }
  }

  func finish() { attempt { try WaitClock.own.during(leaving.wait) } }

  /// Throws what has failed since the beginning.
  ///
  /// - Throws: `MPIError`.
  func check() throws {
    if let failure { throw failure }
  }

  private func attempt(_ body: () throws -> Void) {
    guard failure == nil else { return }
    do { try body() } catch { failure = error }
  }
}
