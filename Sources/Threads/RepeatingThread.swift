import Glibc

/// A thread that does the same again and again.
package final class RepeatingThread {
  private let stops = CountingSemaphore(0)
  private var thread: JoinableThread?

  /// Starts a thread that runs `body` every `seconds`.
  ///
  /// - Throws: `ThreadError` where the system allows no further thread.
  package init(every seconds: Double, _ body: @escaping @Sendable () -> Void) throws {
    let stops = stops
    thread = try JoinableThread {
      while !stops.wait(seconds: seconds) { body() }
    }
  }

  /// Waits for the end of `body` where it runs.
  deinit {
    stops.signal()
    thread.take()?.join()
  }
}
