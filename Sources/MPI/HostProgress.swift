import Glibc
import Preconditions
import Synchronization

/// How far each rank of a host has come, as numbers that only grow, in memory that all of them see.
///
/// What a rank has written to shared memory before it came so far, others may read that have seen it. Unlike
/// `SharedMemory.synchronize()` it makes no rank wait that has something else to do.
package final class HostProgress: @unchecked Sendable {
  // Unchecked, since the numbers are atomic.
  private let reached: [UnsafeMutablePointer<Atomic<Int>>]
  private let own: Int

  /// The bytes that it takes of each rank's segment: a cache line to itself, so that no rank slows another that writes.
  package static let byteCount = 2 * line
  private static let line = 64

  /// In the `byteCount` bytes at the end of each rank's segment. Ranks have come to 0.
  ///
  /// - Parameter rank: The calling rank among those of the host. `SharedMemory.synchronize()` comes before any use.
  package init(_ memory: SharedMemory, rank: Int, ranks: Int) {
    reached = (0..<ranks).map { rank in
      let segment = memory.segment(of: rank)
      guard let base = segment.baseAddress, segment.count >= Self.byteCount else {
        preconditionFailure("each rank's segment has room for its progress")
      }
      return (base + segment.count - Self.byteCount).alignedUp(toMultipleOf: Self.line)
        .bindMemory(to: Atomic<Int>.self, capacity: 1)
    }
    own = rank
    reached[rank].initialize(to: Atomic(0))
  }

  /// Tells the others that this rank has come so far.
  package func reach(_ number: Int) { reached[own].pointee.store(number, ordering: .releasing) }

  /// Whether all ranks have come so far.
  package func allHaveReached(_ number: Int) -> Bool {
    reached.allSatisfy { $0.pointee.load(ordering: .acquiring) >= number }
  }
}
