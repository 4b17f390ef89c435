import Synchronization
import Threads

/// Writes checkpoints on a thread of its own, one after another. One other thread uses it.
final class CheckpointWriter {
  private var thread: JoinableThread?
  private let failure = Failure()

  /// Waits until the checkpoint before is whole and begins to write another.
  ///
  /// - Throws: What `finish` throws; `ThreadError`.
  func begin(_ checkpoint: PendingCheckpoint) throws {
    try finish()
    thread = try JoinableThread { [failure] in
      do { try checkpoint.write() } catch { failure.error.withLock { $0 = error } }
    }
  }

  /// Whether a checkpoint could not be written; `finish` says why.
  var hasFailed: Bool { failure.error.withLock { $0 != nil } }

  /// Waits until the checkpoint that is being written is whole, if there is one.
  ///
  /// - Throws: What kept it from being written.
  func finish() throws {
    thread.take()?.join()
    if let error = failure.error.withLock({ $0.take() }) { throw error }
  }

  deinit { thread.take()?.join() }

  private final class Failure: Sendable {
    let error = Mutex<(any Error)?>(nil)
  }
}

/// A checkpoint that is yet to be written.
struct PendingCheckpoint: @unchecked Sendable {
  // Unchecked, since it is handed over whole: until it is written, nobody else uses the store or the state.
  let header: CheckpointHeader
  let arrays: [CheckpointArray]
  /// What the arrays lie in.
  let state: CollectedState
  let store: CheckpointStore
  /// How many of the newest checkpoints stay.
  let keep: Int
  let observer: (any TrainingObserver)?

  /// Writes it and deletes those that are not kept any more.
  func write() throws {
    try observer?.willSave(step: header.progress.step)
    try withExtendedLifetime(state) { try store.write(header, arrays) }
    try store.prune(after: header.progress, keep: keep)
  }
}
