import Synchronization
import Threads

/// A thread that reduces the pieces of each step, one after another, as soon as they are given to it.
///
/// While it has pieces to reduce, no other thread of the process may call MPI.
final class CommunicationThread {
  private let shared: Shared
  private var thread: JoinableThread?

  /// - Throws: `ThreadError`.
  init(_ reducer: PieceReducer) throws {
    let shared = Shared(reducer)
    self.shared = shared
    thread = try JoinableThread { shared.run() }
  }

  deinit {
    shared.isStopped.store(true, ordering: .relaxed)
    shared.given.signal()
    thread.take()?.join()
  }

  /// Gives it the next piece of the step.
  func reduceNext() { shared.given.signal() }

  /// Waits until it has reduced all pieces of the step.
  ///
  /// - Throws: `MPIError`.
  func waitForAll() throws {
    for _ in 0..<shared.reducer.pieceCount { shared.reduced.wait() }
    if let failure = shared.failure { throw failure }
  }

  /// The semaphores order all that both threads touch.
  private final class Shared: @unchecked Sendable {
    let reducer: PieceReducer
    let given = CountingSemaphore(0)
    let reduced = CountingSemaphore(0)
    let isStopped = Atomic(false)
    var failure: (any Error)?

    init(_ reducer: PieceReducer) { self.reducer = reducer }

    func run() {
      while true {
        for piece in 0..<reducer.pieceCount {
          given.wait()
          if isStopped.load(ordering: .relaxed) { return }
          do { try reducer.reduce(piece: piece) } catch { failure = error }
          reduced.signal()
        }
      }
    }
  }
}
