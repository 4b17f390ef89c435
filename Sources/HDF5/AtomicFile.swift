import Glibc

/// What `createAtomically` does where the destination exists.
public enum ExistingFile: Sendable {
  /// Throw, and leave it alone.
  case refuse
  /// Put the new file in its place.
  case replace
}

/// Makes a file that is whole or absent, whatever happens meanwhile.
///
/// `write` is given a temporary name beside the destination and makes that file; `verify` reads it again. Then the file
/// is synchronised with the disk, takes its final name and the directory is synchronised. On any error the temporary
/// file is removed, and nothing else has been touched.
///
/// - Throws: what `write` and `verify` throw, and `HDF5Error` where the destination exists or the system refuses.
public func createAtomically(
  _ path: String, existing: ExistingFile, write: (_ temporaryPath: String) throws -> Void,
  verify: (_ temporaryPath: String) throws -> Void
) throws {
  try requirePlace(for: path, existing: existing)
  let (directory, name) = split(path)
  let temporary = "\(directory)/.\(name).\(getpid())-\(UInt32.random(in: .min ... .max)).partial"
  do {
    try write(temporary)
    try verify(temporary)
    try synchronize(temporary)
    try move(temporary, to: path, existing: existing)
  } catch {
    unlink(temporary)
    throw error
  }
  try synchronize(directory)
}

/// Sees to it that a file can be made at `path`: what `createAtomically` does first, and who has much to do before.
///
/// - Throws: `HDF5Error` where something of that name exists already that may not be replaced, or its directory is
///   missing or can't be written to.
public func requirePlace(for path: String, existing: ExistingFile) throws {
  guard !path.isEmpty else { throw HDF5Error("an empty name; give the new file one", path: "\"\"") }
  if existing == .refuse, access(path, F_OK) == 0 { throw alreadyExists(path) }
  let directory = split(path).directory
  guard access(directory, W_OK | X_OK) == 0 else {
    let reason = String(cString: strerror(errno))
    throw HDF5Error(
      "cannot be made: \(reason); choose another place for it, or see that the directory \(directory) is there and "
        + "can be written to",
      path: path)
  }
}

extension File {
  /// Makes an HDF5 file that is whole or absent: `createAtomically`, where `write` fills the new file, and the finished
  /// one is opened again, verified throughout (see `verify()`) and shown to `check`.
  public static func createAtomically(
    _ path: String, existing: ExistingFile, write: (File) throws -> Void,
    check: (File) throws -> Void = { _ in }
  ) throws {
    // Errors are about the file that the user named, not about the temporary one.
    try HDF5.createAtomically(
      path, existing: existing,
      write: { temporary in
        let file = try File.create(at: temporary, named: path)
        try write(file)
        try file.close()
      },
      verify: { temporary in
        // The library does not report every failed write: a full disk may show only here.
        let file: File
        do {
          file = try File.open(at: temporary, named: path)
          try file.verify()
        } catch let error as HDF5Error {
          throw HDF5Error(
            "cannot be read again as it was written; is the disk full? (\(error.message))", path: path,
            object: error.object)
        }
        try check(file)
        try file.close()
      })
  }
}

/// Waits until the file or directory at `path` has reached the disk.
public func synchronize(_ path: String) throws {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw HDF5Error.system("cannot be opened to be synchronised", path: path) }
  defer { close(descriptor) }
  // Some file systems cannot synchronise a directory and say EINVAL; they have nothing to do then.
  guard fsync(descriptor) == 0 || errno == EINVAL else {
    throw HDF5Error.system("cannot be synchronised with the disk", path: path)
  }
}

/// Gives a file its final name. Where nothing may be replaced, a link does it: unlike a look beforehand, it cannot be
/// overtaken by another process.
private func move(_ temporary: String, to path: String, existing: ExistingFile) throws {
  if existing == .refuse {
    if link(temporary, path) == 0 {
      unlink(temporary)
      return
    }
    if errno == EEXIST { throw alreadyExists(path) }
    // A file system without hard links: the look at the beginning has to do.
  }
  guard rename(temporary, path) == 0 else { throw HDF5Error.system("cannot be put in place", path: path) }
}

private func alreadyExists(_ path: String) -> HDF5Error {
  HDF5Error("already exists; remove it or choose another name", path: path)
}

private func split(_ path: String) -> (directory: String, name: Substring) {
  guard let slash = path.lastIndex(of: "/") else { return (".", path[...]) }
  let directory = path[..<slash]
  return (directory.isEmpty ? "/" : String(directory), path[path.index(after: slash)...])
}
