import FileSystem

extension File {
  /// Makes an HDF5 file that is whole or absent: `createAtomically`, where `write` fills the new file, and the finished
  /// one is opened again, verified throughout (see `verify()`) and shown to `check`.
  package static func createAtomically(
    _ path: String, existing: ExistingFile, write: (File) throws -> Void,
    check: (File) throws -> Void = { _ in }
  ) throws {
    try createAtomically(
      path, existing: existing, open: { try File.create(at: $0, named: path) }, write: write, check: check)
  }

  /// Changes an HDF5 file by `change`, wholly or not at all: a copy is changed, verified as a new file is, and takes the
  /// place of the old one.
  package static func changeAtomically(_ path: String, change: (File) throws -> Void) throws {
    try createAtomically(
      path, existing: .replace,
      open: { temporary in
        try Files.copy(path, to: temporary)
        return try File.openToChange(at: temporary, named: path)
      }, write: change, check: { _ in })
  }

  private static func createAtomically(
    _ path: String, existing: ExistingFile, open: (_ location: String) throws -> File,
    write: (File) throws -> Void, check: (File) throws -> Void
  ) throws {
    // Errors are about the file that the user named, not about the temporary one.
    try Files.createAtomically(
      path, existing: existing,
      write: { temporary in
        let file = try open(temporary)
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
