import CHDF5
import FileSystem
import Glibc
import Synchronization

/// The one way into the C library.
package enum Library {
  /// Held during every call: whether the library was built to be thread-safe differs from machine to machine.
  private static let lock = Mutex(())

  /// Opens the library, once. At exit it must not close what is open: a file left half-written by an exit would then
  /// look finished. No plugins: a file names its filters, and a filter's plugin is code.
  private static let isOpen: Bool = {
    // No locks either, unless the user wants them: files are written under other names and renamed when they are
    // whole, and some network file systems cannot lock.
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0)
    H5dont_atexit()
    return H5open() >= 0 && H5PLset_loading_state(0) >= 0
  }()

  /// Runs `body`, which is one call of the C function `function` or a few that belong together, alone in the
  /// process. A negative result is an error, thrown with the root cause that the library's error stack gives.
  @discardableResult
  package static func call<Result: SignedInteger & Sendable>(
    _ function: String, path: String, object: String? = nil, _ body: () -> Result
  ) throws -> Result {
    try lock.withLock { _ in
      guard isOpen else { throw HDF5Error("the HDF5 library cannot be initialised", path: path) }
      // The error stack, and whether it is printed, belong to the thread where the library is thread-safe.
      H5Eset_auto2(hid_t(H5E_DEFAULT), nil, nil)
      let result = body()
      if result < 0 { throw HDF5Error(explanation(of: function), path: path, object: object) }
      return result
    }
  }

  /// Runs `body` alone in the process, where there is no one to tell of a failure.
  static func quietly(_ body: () -> Void) {
    lock.withLock { _ in
      H5Eset_auto2(hid_t(H5E_DEFAULT), nil, nil)
      body()
    }
  }

  /// Makes an identifier by `make`, lends it to `body` and closes it.
  static func with<Result>(
    _ function: String, path: String, object: String? = nil, _ make: () -> hid_t,
    close: @escaping (hid_t) -> herr_t, _ body: (hid_t) throws -> Result
  ) throws -> Result {
    let id = try call(function, path: path, object: object, make)
    defer { quietly { _ = close(id) } }
    return try body(id)
  }

  /// One line from the error stack: its innermost entry, which is the root cause.
  private static func explanation(of function: String) -> String {
    var cause = ""
    withUnsafeMutablePointer(to: &cause) { cause in
      _ = H5Ewalk2(
        hid_t(H5E_DEFAULT), H5E_WALK_UPWARD,
        { depth, entry, context in
          guard depth == 0, let entry, let description = entry.pointee.desc else { return 0 }
          context?.assumingMemoryBound(to: String.self).pointee = String(cString: description)
          return 0
        }, cause)
    }
    return advice(
      for: cause.isEmpty ? "\(function) failed" : "\(function) failed: \(systemMessage(in: cause))")
  }

  /// What the system said, where the library tells it among the circumstances of a call; else all the library says.
  private static func systemMessage(in cause: String) -> Substring {
    guard let label = cause.firstRange(of: "error message = '"),
      let end = cause[label.upperBound...].firstIndex(of: "'"), !cause.contains("lock file")
    else { return cause[...] }
    return cause[label.upperBound..<end]
  }

  /// Adds what to do about it to the causes that users meet.
  private static func advice(for message: String) -> String {
    if message.contains("unable to lock file") {
      return """
        the file is locked by another process, or its file system cannot lock \
        (set HDF5_USE_FILE_LOCKING=FALSE for such a one): \(message)
        """
    }
    if message.contains("already open for write") || message.contains("file consistency flags") {
      return "the file is still being written, or its writer was stopped before it was done; write it anew"
    }
    if message.contains("truncated file") {
      return "the file is truncated; copy or write it anew (\(message))"
    }
    if FileError.noRoom.contains(where: { message.contains(String(cString: strerror($0))) }) {
      return "there is no room for the file; make some, and give the command again (\(message))"
    }
    if message.contains("checksum") {
      return "the file is damaged: a checksum does not match what was written (\(message))"
    }
    return message
  }
}
