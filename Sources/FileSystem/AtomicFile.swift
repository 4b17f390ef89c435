import CSupport
import Glibc

/// What `createAtomically` does where the destination exists.
package enum ExistingFile: Sendable {
  /// Throw, and leave it alone.
  case refuse
  /// Put the new file in its place.
  case replace
}

extension Files {
  /// Makes a file that is whole or absent, whatever happens meanwhile.
  ///
  /// `write` is given a temporary name beside the destination and makes that file; `verify` reads it again. Then the file
  /// is synchronised with the disk, takes its final name and the directory is synchronised. On any error the temporary
  /// file is removed, and nothing else has been touched. A signal that ends the process removes it too; what a process
  /// that was killed has left is removed by the next one that makes the file.
  ///
  /// - Throws: what `write` and `verify` throw, and `FileError` where the destination exists or the system refuses.
  package static func createAtomically(
    _ path: String, existing: ExistingFile, write: (_ temporaryPath: String) throws -> Void,
    verify: (_ temporaryPath: String) throws -> Void
  ) throws {
    try requirePlace(for: path, existing: existing)
    let directory = directory(of: path)
    let prefix = temporaryPrefix(of: path)
    removeLeftovers(in: directory, prefix: prefix)
    let temporary = "\(directory)/\(prefix)\(getpid())-\(UInt32.random(in: .min ... .max))\(temporarySuffix)"
    let number = st_begin_temporary(temporary)
    defer { st_end_temporary(number) }
    do {
      try write(temporary)
      try verify(temporary)
      try synchronize(temporary, named: path)
      try move(temporary, to: path, existing: existing)
    } catch {
      unlink(temporary)
      throw error
    }
    try synchronize(directory, named: directory)
  }

  private static let temporarySuffix = ".partial"

  /// How the names of temporary files begin that processes on this host make of `path`; the process's number follows.
  private static func temporaryPrefix(of path: String) -> String {
    ".\(name(of: path)).\(hostName())."
  }

  /// Removes the temporary files whose processes are no more.
  private static func removeLeftovers(in directory: String, prefix: String) {
    for name in (try? names(in: directory)) ?? []
    where name.hasPrefix(prefix) && name.hasSuffix(temporarySuffix) {
      let process = name.dropFirst(prefix.count).prefix { $0.isNumber }
      if let process = pid_t(process), kill(process, 0) != 0, errno == ESRCH {
        unlink("\(directory)/\(name)")
      }
    }
  }

  /// Checks that a file can be made at `path`, as `createAtomically` does first. Call it before long work whose result the
  /// file is to hold.
  ///
  /// - Throws: `FileError` where something of that name exists already that may not be replaced, or its directory is
  ///   missing or can't be written to.
  package static func requirePlace(for path: String, existing: ExistingFile) throws {
    guard !path.isEmpty else { throw FileError("\"\"", problem: "an empty name; give the new file one") }
    if existing == .refuse, access(path, F_OK) == 0 { throw alreadyExists(path) }
    let directory = directory(of: path)
    guard access("\(directory)/.", W_OK | X_OK) == 0 else {
      let reason = String(cString: strerror(errno))
      throw FileError(
        path,
        problem:
          "cannot be made: \(reason); choose another place for it, or see that the directory \(directory) is there and "
          + "can be written to")
    }
  }

  /// Waits until the file or directory at `path` has reached the disk; errors call it `name`.
  private static func synchronize(_ path: String, named name: String) throws {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(name, "open") }
    defer { close(descriptor) }
    // Some file systems cannot synchronise a directory and say EINVAL; they have nothing to do then.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileError(name, "synchronise with the disk")
    }
  }

  /// Gives a file its final name. Where nothing may be replaced, a link does it: unlike a look beforehand, it cannot be
  /// overtaken by another process.
  private static func move(_ temporary: String, to path: String, existing: ExistingFile) throws {
    if existing == .refuse {
      if link(temporary, path) == 0 {
        unlink(temporary)
        return
      }
      if errno == EEXIST { throw alreadyExists(path) }
      // A file system without hard links: the look at the beginning has to do.
    }
    guard rename(temporary, path) == 0 else { throw FileError(path, "put the new file in place") }
  }

  private static func alreadyExists(_ path: String) -> FileError {
    FileError(path, problem: "already exists; remove it or choose another name")
  }
}
