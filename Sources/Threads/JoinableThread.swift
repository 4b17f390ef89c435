import Glibc

/// A thread of its own for one piece of work.
package struct JoinableThread: ~Copyable {
  private let thread: pthread_t

  /// The bytes of its stack: enough for HDF5 and MPI. (The default counts four times as much against `ulimit -v`.)
  private static let stackSize = 2 << 20

  /// Starts a thread that runs `body`.
  ///
  /// - Throws: `ThreadError` where the system allows no further thread.
  package init(_ body: @escaping @Sendable () -> Void) throws {
    let work = Unmanaged.passRetained(Work(body))
    var (thread, attributes) = (pthread_t(), pthread_attr_t())
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, Self.stackSize)
    let status = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    guard status == 0 else {
      work.release()
      throw ThreadError(description: "no thread can be started: \(String(cString: strerror(status)))")
    }
    self.thread = thread
  }

  /// Waits until its work is done.
  package consuming func join() { pthread_join(thread, nil) }

  private final class Work {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

/// The system's refusal to start a thread.
package struct ThreadError: Error, CustomStringConvertible {
  /// The refusal in words.
  package let description: String
}
