import Glibc

/// Runs `body` with the path of a new empty directory and removes it afterwards with all it holds.
package func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  let path = try makeTemporaryDirectory()
  defer { removeTree(path) }
  return try body(path)
}

/// Makes a new empty directory and returns its path; the caller removes it.
func makeTemporaryDirectory() throws -> String {
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(base)/seqtrain-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp \(base)") }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a file, or a directory with all it holds. What is not there is no error.
package func removeTree(_ path: String) {
  for name in (try? directoryEntries(path)) ?? [] { removeTree("\(path)/\(name)") }
  if unlink(path) != 0 { rmdir(path) }
}

/// The names in a directory, sorted, without `.` and `..`; none where it is no directory, or a link to one.
package func directoryEntries(_ path: String) throws -> [String] {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else {
    if errno == ENOTDIR || errno == ELOOP { return [] }
    throw SystemError("open \(path)")
  }
  guard let directory = fdopendir(descriptor) else {
    close(descriptor)
    throw SystemError("fdopendir \(path)")
  }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// All bytes of a file.
package func readBytes(_ path: String) throws -> [UInt8] {
  guard let file = fopen(path, "re") else { throw SystemError("open \(path)") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&block, 1, block.count, file)
    bytes += block[..<count]
    if count < block.count { break }
  }
  guard ferror(file) == 0 else { throw SystemError("read \(path)") }
  return bytes
}

/// Makes a file, or replaces its content.
package func writeBytes(_ bytes: some Collection<UInt8>, to path: String) throws {
  guard let file = fopen(path, "we") else { throw SystemError("open \(path)") }
  let written = Array(bytes).withUnsafeBufferPointer { fwrite($0.baseAddress, 1, $0.count, file) }
  guard fclose(file) == 0, written == bytes.count else { throw SystemError("write \(path)") }
}

/// A failed call into the operating system.
package struct SystemError: Error, CustomStringConvertible {
  /// The call and the reason.
  package let description: String

  /// An error of `call` with the reason that `code` stands for.
  package init(_ call: String, code: Int32 = errno) {
    description = "\(call): \(String(cString: strerror(code)))"
  }
}
