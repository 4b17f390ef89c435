import Glibc

/// Files as bytes, and directories.
package enum Files {
  /// Opens a regular file with these flags, and makes it where they say so. What is there but no such file is refused at
  /// once: a FIFO could have the caller wait for ever.
  ///
  /// - Throws: `FileError`.
  package static func open(_ path: String, _ flags: Int32) throws -> Int32 {
    let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NONBLOCK, 0o644)
    let code = errno
    var status = stat()
    let isKnown = (descriptor < 0 ? stat(path, &status) : fstat(descriptor, &status)) == 0
    if isKnown, let kind = otherKind(status) {
      close(descriptor)
      throw FileError(path, problem: "is \(kind), not a regular file; move it away, or name another")
    }
    guard descriptor >= 0 else { throw FileError(path, "open", code: code) }
    return descriptor
  }

  /// What the status is of, in words; nil for a regular file.
  package static func otherKind(_ status: stat) -> String? {
    switch status.st_mode & S_IFMT {
    case S_IFREG: nil
    case S_IFDIR: "a directory"
    case S_IFIFO: "a FIFO"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }

  /// The bytes of a file, which may have no more than `limit`.
  package static func read(_ path: String, atMost limit: Int = .max) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try forEachBlock(of: path) { block in
      bytes += block
      guard bytes.count <= limit else {
        throw FileError(path, problem: "larger than the \(limit) bytes expected")
      }
    }
    return bytes
  }

  /// Calls `body` with a file's bytes, block by block.
  package static func forEachBlock(of path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let descriptor = try open(path, O_RDONLY)
    defer { close(descriptor) }
    try forEachBlock(of: descriptor, named: path, body)
  }

  /// Calls `body` with what is still to be read from a descriptor, block by block; errors call it `name`.
  package static func forEachBlock(
    of descriptor: Int32, named name: String, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { block.deallocate() }
    while true {
      let count = Glibc.read(descriptor, block.baseAddress, block.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw FileError(name, "read") }
      if count == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: block[..<count]))
    }
  }

  /// Replaces a file by one with these bytes: readers find the old or the new one, also after a power cut.
  package static func replace(_ path: String, with bytes: some Collection<UInt8>) throws {
    try create(path, of: bytes, existing: .replace)
  }

  /// Makes a file of these bytes, which is whole or absent; see `createAtomically`.
  package static func create(_ path: String, of bytes: some Collection<UInt8>, existing: ExistingFile) throws
  {
    try createAtomically(path, existing: existing) { temporary in
      let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw FileError(path, "create") }
      defer { close(descriptor) }
      try write(Array(bytes), to: descriptor, path: path)
    } verify: { _ in
    }
  }

  /// Copies a file's bytes and permissions to a new file.
  package static func copy(_ path: String, to copy: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileError(path, "examine") }
    let descriptor = Glibc.open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0o777)
    guard descriptor >= 0 else { throw FileError(copy, "create") }
    defer { close(descriptor) }
    try forEachBlock(of: path) { try write(Array($0), to: descriptor, path: copy) }
  }

  /// Writes all bytes to an open file.
  package static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN {
        // Somebody else has made the open file not wait.
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
        continue
      }
      guard count >= 0 else { throw FileError(path, "write") }
      rest = rest.dropFirst(count)
    }
  }

  /// Makes a directory and those above it, where they are missing.
  package static func makeDirectory(_ path: String) throws {
    if mkdir(path, 0o755) == 0 { return }
    if errno == EEXIST {
      guard isDirectory(path) else { throw FileError(path, "make a directory", code: ENOTDIR) }
      return
    }
    let parent = directory(of: path)
    guard errno == ENOENT, parent != path else { throw FileError(path, "make a directory") }
    try makeDirectory(parent)
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw FileError(path, "make a directory") }
  }

  /// Removes a directory and the files in it, as far as that can be done; one with directories in it stays.
  package static func removeDirectory(_ path: String) {
    for name in (try? names(in: path)) ?? [] { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  /// The names in a directory, sorted.
  package static func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw FileError(path, "list") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The bytes of a file, by the system's account.
  package static func size(of path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileError(path, "read") }
    return Int(status.st_size)
  }

  /// The bytes that are left on the file system of a directory for users other than root; nil where the system does not
  /// say.
  package static func room(in directory: String) -> Int? {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else { return nil }
    return Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether a regular file begins as those of HDF5 do. (What is read of a pipe is gone.)
  package static func isHDF5(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0, otherKind(status) == nil, let descriptor = try? open(path, O_RDONLY)
    else {
      return false
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8)
    return Glibc.read(descriptor, &bytes, bytes.count) == bytes.count
      && bytes == Array("\u{89}HDF\r\n\u{1A}\n".unicodeScalars.map { UInt8($0.value) })
  }

  /// Whether a file's name says that it is YAML.
  package static func isNamedAsYAML(_ path: String) -> Bool {
    path.hasSuffix(".yaml") || path.hasSuffix(".yml")
  }

  package static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
