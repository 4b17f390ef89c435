import COpenMPI
import CSupport
import Glibc

/// Bytes: a cache line, which two ranks should not write at the same time, and the widest vector.
private let alignment = 64

/// Memory that the ranks of one host share: a segment of each rank, which all of them read and write.
///
/// What one rank has written another may read after both have called `synchronize()`.
package final class SharedMemory: @unchecked Sendable {
  // Unchecked, since it is for its users to keep to that rule, among threads as among ranks.
  private let communicator: Communicator
  private var window: MPI_Win?
  private let segments: [UnsafeMutableRawBufferPointer]

  /// Makes the memory, with `byteCount` bytes in this rank's segment. Segments begin at multiples of 64
  /// bytes. Collective.
  ///
  /// All of it is taken from the system here, each segment by its rank and so near it: where the system has less, that
  /// is an error now, and not SIGBUS at the first access to a page.
  ///
  /// - Parameter communicator: ranks of one host, as `Communicator.splitByHost` gives them.
  /// - Throws: `JobError` where the system has not that much shared memory; `MPIError`.
  package init(_ communicator: Communicator, byteCount: Int) throws {
    let counts = try communicator.allgather(byteCount)
    let room = SharedMemoryRoom()
    let needed = Self.roomNeeded(for: counts)
    // Asked for more than there is, the library would fail on one rank and leave the others waiting.
    try communicator.agree { if communicator.rank == 0 { try room.require(needed) } }
    var info = st_info_null()
    try call("MPI_Info_create") { MPI_Info_create(&info) }
    // Segments need not follow one another: each has pages of its own, which lie near its rank.
    try call("MPI_Info_set") { MPI_Info_set(info, "alloc_shared_noncontig", "true") }
    var window: MPI_Win?
    var own: UnsafeMutableRawPointer?
    try call("MPI_Win_allocate_shared") {
      MPI_Win_allocate_shared(byteCount + alignment, 1, info, communicator.handle, &own, &window)
    }
    try call("MPI_Info_free") { MPI_Info_free(&info) }
    try call("MPI_Win_set_errhandler") { MPI_Win_set_errhandler(window, st_errors_return()) }
    do {
      try communicator.agree {
        if st_populate(own, byteCount + alignment) { return }
        throw SharedMemoryError(
          needed: needed, found: "too little since another job took of it just now", directory: room.directory
        )
      }
    } catch {
      try call("MPI_Win_free") { MPI_Win_free(&window) }
      throw error
    }
    // Opened once: loads and stores go on between calls of MPI_Win_sync, which needs an open epoch.
    try call("MPI_Win_lock_all") { MPI_Win_lock_all(MPI_MODE_NOCHECK, window) }
    segments = try (0..<communicator.size).map { rank in
      var size: MPI_Aint = 0
      var unit: Int32 = 0
      var base: UnsafeMutableRawPointer?
      try call("MPI_Win_shared_query") { MPI_Win_shared_query(window, Int32(rank), &size, &unit, &base) }
      // Open MPI begins a segment where it likes; in a page it is the same place for every rank.
      return UnsafeMutableRawBufferPointer(
        start: base?.alignedUp(toMultipleOf: alignment), count: counts[rank])
    }
    self.communicator = communicator
    self.window = window
  }

  /// The bytes of shared memory that segments of these sizes take: whole pages, and some for the library's own use. None
  /// for a rank alone, which has its segment in memory of its own.
  package static func roomNeeded(for byteCounts: [Int]) -> Int {
    guard byteCounts.count > 1 else { return 0 }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    return byteCounts.reduce(16 * page) { $0 + ($1 + alignment + page - 1) / page * page + page }
  }

  /// The segment of a rank, this one's or another's. Valid until `free()`.
  package func segment(of rank: Int) -> UnsafeMutableRawBufferPointer { segments[rank] }

  /// Waits for all ranks, and makes what each has written visible to the others. Collective.
  package func synchronize() throws {
    try call("MPI_Win_sync") { MPI_Win_sync(window) }
    try communicator.barrier()
    try call("MPI_Win_sync") { MPI_Win_sync(window) }
  }

  /// Frees the memory. Collective; what is not freed lives until MPI ends.
  package func free() throws {
    try call("MPI_Win_unlock_all") { MPI_Win_unlock_all(window) }
    try call("MPI_Win_free") { MPI_Win_free(&window) }
  }
}
