import COpenMPI
import FileSystem
import Glibc

/// Where the MPI library puts the memory that the ranks of a host share, and what is left there.
package struct SharedMemoryRoom: Sendable {
  /// The directory of the files behind it.
  package let directory: String
  /// The bytes that are left there; nil where the system does not say.
  package let available: Int?

  /// The room as it is now. MPI has been started.
  package init() {
    directory = textVariable("osc_sm_backing_directory") ?? "/dev/shm"
    available = Files.room(in: directory)
  }

  /// Throws where there is not that much left.
  ///
  /// - Throws: `SharedMemoryError`.
  package func require(_ bytes: Int) throws {
    if let available, available < bytes {
      throw SharedMemoryError(
        needed: bytes, found: "\(Wording.bytes(available)) left", directory: directory)
    }
  }
}

/// Too little memory that the ranks of a host could share.
package struct SharedMemoryError: Error, CustomStringConvertible, Sendable {
  /// What, where, needed, found, and what to do.
  package let description: String

  init(needed: Int, found: String, directory: String) {
    description = """
      the ranks of this host need \(Wording.bytes(needed)) of shared memory in \(directory), which has \
      \(found) (see `df \(directory)`): end other jobs that hold it, or make it larger (in a container \
      `docker run --shm-size`, elsewhere `mount -o remount,size=SIZE \(directory)`)
      """
  }
}

/// The value of one of Open MPI's text variables, wherever it has been set.
private func textVariable(_ name: String) -> String? {
  var (level, index, count): (Int32, Int32, Int32) = (0, 0, 0)
  guard MPI_T_init_thread(Int32(MPI_THREAD_SERIALIZED), &level) == MPI_SUCCESS else { return nil }
  defer { MPI_T_finalize() }
  var variable: MPI_T_cvar_handle?
  guard MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS,
    MPI_T_cvar_handle_alloc(index, nil, &variable, &count) == MPI_SUCCESS
  else { return nil }
  defer { MPI_T_cvar_handle_free(&variable) }
  return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(count) + 1) { text in
    text.initialize(repeating: 0)
    guard let base = text.baseAddress, count > 1, MPI_T_cvar_read(variable, base) == MPI_SUCCESS else {
      return nil
    }
    let value = String(cString: base)
    return value.isEmpty ? nil : value
  }
}
