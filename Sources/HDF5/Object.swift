import CHDF5
import Synchronization

/// What all objects of an open file share: its identifier and whether it can still be used.
final class OpenFile: Sendable {
  /// What messages call it.
  let path: String
  /// Where it lies.
  let location: String
  let id: hid_t
  let isWritable: Bool
  /// The size of the file in bytes when it was opened; 0 for a new one.
  let size: Int
  /// `failed` once a call on the file has thrown while it was written.
  private let state = Mutex((isOpen: true, failed: false))

  init(path: String, location: String, id: hid_t, isWritable: Bool, size: Int) {
    self.path = path
    self.location = location
    self.id = id
    self.isWritable = isWritable
    self.size = size
  }

  deinit {
    if isOpen { Library.quietly { H5Fclose(id) } }
  }

  var isOpen: Bool { state.withLock { $0.isOpen } }

  var hasFailed: Bool { state.withLock { $0.failed } }

  func noteFailure() { state.withLock { $0.failed = true } }

  /// Whether the file was open until now.
  func markClosed() -> Bool {
    state.withLock { state in
      defer { state.isOpen = false }
      return state.isOpen
    }
  }
}

/// Anything in a file that has a name and attributes: a group, a dataset, the file itself.
///
/// Objects keep their file open as long as they live, until `File.close`. They may be used from any thread: what they
/// hold does not change, and each call into the library is made under one lock.
package class Object: @unchecked Sendable {
  let id: hid_t
  let file: OpenFile
  /// The path inside the file, from `/`.
  package let name: String

  init(id: hid_t, file: OpenFile, name: String) {
    self.id = id
    self.file = file
    self.name = name
  }

  /// The path of the file, as it was given.
  package var filePath: String { file.path }

  /// An error about this object.
  func error(_ message: String) -> HDF5Error {
    HDF5Error(message, path: file.path, object: name == "/" ? nil : name)
  }

  /// `Library.call` on behalf of this object, or of another one that is not open yet.
  @discardableResult
  func call<Result: SignedInteger & Sendable>(
    _ function: String, on other: String? = nil, _ body: () -> Result
  ) throws -> Result {
    guard file.isOpen else { throw error("\(function): the file has been closed") }
    do {
      return try Library.call(function, path: file.path, object: other ?? (name == "/" ? nil : name), body)
    } catch {
      if file.isWritable { file.noteFailure() }
      throw error
    }
  }

  /// An identifier for the time of `body`, on behalf of this object.
  func with<Result>(
    _ function: String, _ make: () -> hid_t, close: @escaping (hid_t) -> herr_t,
    _ body: (hid_t) throws -> Result
  ) throws -> Result {
    let id = try call(function, make)
    defer { Library.quietly { _ = close(id) } }
    return try body(id)
  }
}
