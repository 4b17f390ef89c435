import Glibc

/// A text file, read in blocks.
struct TextFile {
  let path: String
  /// Its size in bytes when it was opened.
  let bytes: Int
  private let descriptor: Int32

  private static let blockSize = 1 << 18

  /// Opens `path`, lends it to `body` and closes it.
  ///
  /// - Throws: `DataError` where it is missing, may not be read, or is no regular file (it is read more than once).
  static func with<Result>(_ path: String, _ body: (TextFile) throws -> Result) throws -> Result {
    // Not blocking: opening a pipe that no one writes to would wait for ever.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("cannot be opened", path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("cannot be examined", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a regular file"
      throw DataError("is \(kind); text is read from files", path: path)
    }
    return try body(TextFile(path: path, bytes: Int(status.st_size), descriptor: descriptor))
  }

  /// Calls `body` with the units of the text, block by block: bytes, or Unicode scalar values.
  ///
  /// - Throws: `DataError` where the file cannot be read or is no UTF-8, with the offset of the first bad byte sequence.
  func forEachBlock(_ level: TokenLevel, _ body: ([UInt32]) throws -> Void) throws {
    let block = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: Self.blockSize)
    defer { block.deallocate() }
    var units: [UInt32] = []
    units.reserveCapacity(block.count)
    var decoder = UTF8Decoder()
    do {
      while true {
        let count = read(descriptor, block.baseAddress, block.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw Self.failure("cannot be read", path) }
        if count == 0 { break }
        let bytes = UnsafeBufferPointer(rebasing: block[..<count])
        units.removeAll(keepingCapacity: true)
        if level == .byte {
          units.append(contentsOf: bytes.lazy.map { UInt32($0) })
        } else {
          try decoder.decode(bytes, into: &units)
        }
        try body(units)
      }
      try decoder.finish()
    } catch let failure as UTF8Decoder.Failure {
      throw DataError(
        "is not valid UTF-8: the byte sequence at offset \(failure.offset) is none; convert the file, "
          + "or import it with --level byte", path: path)
    }
  }

  private static func failure(_ what: String, _ path: String) -> DataError {
    DataError("\(what): \(String(cString: strerror(errno)))", path: path)
  }
}
