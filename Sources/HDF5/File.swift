import CHDF5
import FileSystem
import Glibc

/// An HDF5 file, which is also its root group.
///
/// What is written follows version 1.10 of the format: metadata carry checksums, and a file whose writer did not come
/// to its end is refused when it is read. What is read is not trusted; see `Dataset` for the checks. They do not make
/// the library itself safe: a file made to attack it must not be opened at all.
package final class File: Group, @unchecked Sendable {
  /// Makes a new file.
  ///
  /// - Throws: `HDF5Error` where something of that name exists already, or the file cannot be made.
  package static func create(_ path: String) throws -> File { try create(at: path, named: path) }

  /// Makes a new file at `location` that messages call `path`.
  static func create(at location: String, named path: String) throws -> File {
    let id = try withAccess(path: path) { access in
      try Library.call("H5Pset_libver_bounds", path: path) {
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110)
      }
      return try Library.with(
        "H5Pcreate", path: path, { H5Pcreate(st_class_file_create()) }, close: H5Pclose,
        { properties in
          try Library.call("H5Pset_obj_track_times", path: path) { H5Pset_obj_track_times(properties, false) }
          return try Library.call("H5Fcreate", path: path) {
            H5Fcreate(location, st_create_exclusively(), properties, access)
          }
        })
    }
    return File(OpenFile(path: path, location: location, id: id, isWritable: true, size: 0))
  }

  /// Opens a file for reading.
  ///
  /// - Throws: `HDF5Error` where the file is missing, may not be read, is not HDF5, is truncated, or is still open for
  ///   writing or was when its writer stopped.
  package static func open(_ path: String) throws -> File { try open(at: path, named: path) }

  /// Opens a file for reading; `advice` is for users who have named another file. Throws as `open(_:)`.
  package static func open(_ path: String, advice: String) throws -> File {
    try open(at: path, named: path, advice: advice)
  }

  /// Opens a file for reading that must be of a format; with the version in which it is written.
  ///
  /// - Throws: As `open(_:)` and `FileFormat.requireVersion(of:)`.
  package static func open(_ path: String, as format: FileFormat) throws -> (file: File, version: Int) {
    let file = try open(path, advice: format.origin)
    return (file, try format.requireVersion(of: file))
  }

  /// Opens the file at `location` that messages call `path`, with advice for who has given another one.
  static func open(
    at location: String, named path: String, advice: String = "copy or write it anew"
  ) throws -> File {
    let size = try requireHDF5(location, named: path, advice: advice)
    let id = try withAccess(path: path) { access in
      try Library.call("H5Fopen", path: path) { H5Fopen(location, st_read_only(), access) }
    }
    return File(OpenFile(path: path, location: location, id: id, isWritable: false, size: size))
  }

  /// Opens the file at `location`, which messages call `path`, to change it.
  static func openToChange(at location: String, named path: String) throws -> File {
    let size = try requireHDF5(location, named: path, advice: "copy or write it anew")
    let id = try withAccess(path: path) { access in
      try Library.call("H5Fopen", path: path) { H5Fopen(location, st_read_write(), access) }
    }
    return File(OpenFile(path: path, location: location, id: id, isWritable: true, size: size))
  }

  private init(_ file: OpenFile) {
    super.init(id: file.id, file: file, name: "/")
  }

  /// Where it lies: while it is made, under another name than the one it will have.
  package var location: String { file.location }

  /// Closes the file and all objects in it. Of a file that was written it makes sure that everything reached the
  /// operating system: an earlier failed call, a failed flush, and a file that then does not open are errors.
  /// Closing twice does nothing. A file that is not closed is closed with its last object, and not checked.
  package func close() throws {
    guard file.isOpen else { return }
    var failure: (any Error)?
    if file.isWritable {
      do { try call("H5Fflush") { H5Fflush(id, H5F_SCOPE_GLOBAL) } } catch { failure = error }
    }
    guard file.markClosed() else { return }
    // Where the flush has failed, closing fails after it, and does not know why.
    do { try Library.call("H5Fclose", path: file.path) { H5Fclose(id) } } catch { throw failure ?? error }
    if let failure { throw failure }
    if file.hasFailed { throw error("is not complete: an earlier write failed") }
    if file.isWritable { try File.open(at: file.location, named: file.path).close() }
  }

  /// Reads everything in the file through, block by block, so that every checksum is checked.
  ///
  /// - Throws: `HDF5Error` that names the first object that is damaged or that this module does not read.
  package func verify() throws {
    for path in try datasetPaths() { try dataset(path).verify() }
  }

  /// The access properties of every file: closing it closes what was opened in it.
  private static func withAccess<Result>(path: String, _ body: (hid_t) throws -> Result) throws -> Result {
    try Library.with(
      "H5Pcreate", path: path, { H5Pcreate(st_class_file_access()) }, close: H5Pclose,
      { access in
        try Library.call("H5Pset_fclose_degree", path: path) {
          H5Pset_fclose_degree(access, H5F_CLOSE_STRONG)
        }
        return try body(access)
      })
  }

  /// The file's size, after finding out by ourselves what the library would only hint at.
  private static func requireHDF5(_ location: String, named path: String, advice: String) throws -> Int {
    func refuse(_ what: String) -> HDF5Error { HDF5Error("\(what); \(advice)", path: path) }
    let descriptor = Glibc.open(location, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw HDF5Error.system("cannot be opened", path: path) }
    defer { _ = Glibc.close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw HDF5Error.system("cannot be examined", path: path) }
    if let kind = Files.otherKind(status) { throw refuse("is \(kind), not an HDF5 file") }
    guard status.st_size > 0 else { throw refuse("is empty, not an HDF5 file") }
    // The signature stands at the start; behind a user block, which nothing of ours writes, the library looks for it.
    guard try Library.call("H5Fis_hdf5", path: path, { H5Fis_hdf5(location) }) > 0 else {
      throw refuse("is not an HDF5 file (its signature is missing)")
    }
    return Int(status.st_size)
  }
}

extension HDF5Error {
  /// An error of the operating system, from `errno`.
  static func system(_ message: String, path: String, code: Int32 = errno) -> HDF5Error {
    HDF5Error("\(message): \(String(cString: strerror(code)))", path: path)
  }
}
