import CSupport
import Glibc
import Preconditions

/// A POSIX semaphore: a count that `signal` raises, and that `wait` lowers as soon as it is above zero.
package final class CountingSemaphore: @unchecked Sendable {
  private let semaphore: UnsafeMutablePointer<sem_t>

  /// A semaphore that begins with a small count.
  package init(_ value: Int) {
    semaphore = .allocate(capacity: 1)
    semaphore.initialize(to: sem_t())
    let status = sem_init(semaphore, 0, UInt32(value))
    precondition(status == 0, "a semaphore with a small value can always be made")
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  /// Adds one, which one waiting thread takes.
  package func signal() { sem_post(semaphore) }

  /// Takes one, as soon as there is one.
  package func wait() {
    // A signal's handler interrupts.
    while sem_wait(semaphore) != 0 && errno == EINTR {}
  }

  /// Takes one if there is one within so many seconds; returns whether it has.
  package func wait(seconds: Double) -> Bool { st_wait_for(semaphore, seconds) }
}
