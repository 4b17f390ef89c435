import CZlib
import Glibc

/// What becomes of the ends of lines, where they are a carriage return and a line feed (CR LF).
package enum Newlines: String, Sendable, CaseIterable {
  /// They stay two characters.
  case keep
  /// They become line feeds.
  case unix
}

/// What has been found in a text besides the text.
struct TextTraits {
  /// Whether it began with a byte order mark, which is no part of it.
  var hasMark = false
  /// The lines that end with CR LF.
  var returnedLines = 0
}

/// Reads texts block by block, and tells how far it has come.
///
/// A file whose name ends with `.gz` is inflated. Of text that is not taken as bytes, a byte order mark at the
/// beginning is left out.
final class TextReader {
  private let level: TokenLevel
  private let newlines: Newlines
  /// The sizes of the sources in bytes, as they lie on the disk, in their order.
  let sizes: [Int]
  private let progress: (Double) -> Void
  private let total: Int
  private var done = 0

  private static let blockSize = 1 << 18

  /// A reader for these sources, each of which is read `passes` times.
  ///
  /// - Parameter progress: Told after each block which part of all that is to be read has been.
  /// - Throws: `DataError` where a source cannot be opened.
  init(
    _ sources: [TextSource], level: TokenLevel, newlines: Newlines = .keep, passes: Int = 1,
    progress: @escaping (Double) -> Void = { _ in }
  ) throws {
    self.level = level
    self.newlines = newlines
    self.progress = progress
    sizes = try sources.map { try $0.size() }
    total = sizes.reduce(0, +) * passes
  }

  /// Calls `body` with the units of a text, block by block: bytes, or Unicode scalar values.
  ///
  /// - Throws: `DataError` where the text cannot be read or is no UTF-8, with the offset of the first bad byte sequence.
  @discardableResult
  func read(_ source: TextSource, _ body: ([UInt32]) throws -> Void) throws -> TextTraits {
    try source.withDescriptor { descriptor in
      let bytes = try ByteReader(descriptor, source.name)
      let block = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: Self.blockSize)
      defer { block.deallocate() }
      var traits = TextTraits()
      var isFirst = true
      var decoder = TextDecoder(level, name: source.name)
      var ends = NewlineFilter(newlines)
      var units: [UInt32] = []
      units.reserveCapacity(block.count)
      var position = 0
      while case let count = try bytes.read(into: block), count > 0 {
        units.removeAll(keepingCapacity: true)
        try decoder.decode(UnsafeBufferPointer(rebasing: block[..<count]), isFirst: isFirst, into: &units)
        isFirst = false
        try body(ends.filter(units))
        // Of compressed text too, this is where its file has been read to.
        let reached = Int(lseek(descriptor, 0, SEEK_CUR))
        done += reached - position
        position = reached
        progress(min(1, Double(done) / Double(max(1, total))))
      }
      try decoder.finish()
      try body(ends.finish())
      traits.hasMark = decoder.hasMark
      traits.returnedLines = ends.count
      return traits
    }
  }
}

/// The bytes of an open file, inflated where its name ends with `.gz`.
private final class ByteReader {
  private let name: String
  private let descriptor: Int32
  private var compressed: gzFile?

  init(_ descriptor: Int32, _ name: String) throws {
    self.name = name
    self.descriptor = descriptor
    guard name.hasSuffix(".gz") else { return }
    // zlib closes the descriptor that it is given.
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    compressed = gzdopen(copy, "r")
    guard let compressed else {
      close(copy)
      throw DataError(systemCall: "cannot be opened", path: name)
    }
    gzbuffer(compressed, 1 << 18)
    // An empty file is not compressed either.
    guard gzdirect(compressed) == 0 || lseek(descriptor, 0, SEEK_CUR) == 0 else {
      throw DataError(
        "its name ends with .gz, but it is not compressed by gzip; give it another name", path: name)
    }
  }

  deinit { if let compressed { gzclose_r(compressed) } }

  /// Fills `block` as far as it can; 0 at the end.
  func read(into block: UnsafeMutableBufferPointer<UInt8>) throws -> Int {
    while true {
      let count =
        compressed.map { Int(gzread($0, block.baseAddress, UInt32(block.count))) }
        ?? Glibc.read(descriptor, block.baseAddress, block.count)
      if compressed != nil {
        var code: Int32 = Z_OK
        if count <= 0 { gzerror(compressed, &code) }
        guard code == Z_OK || code == Z_STREAM_END else {
          throw DataError("cannot be inflated: it is damaged, or not complete; copy it anew", path: name)
        }
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw DataError(systemCall: "cannot be read", path: name) }
      return count
    }
  }
}

/// Turns the bytes of a text into units.
private struct TextDecoder {
  private let level: TokenLevel
  private let name: String
  private var decoder = UTF8Decoder()
  /// Whether the text began with a byte order mark.
  private(set) var hasMark = false

  init(_ level: TokenLevel, name: String) {
    self.level = level
    self.name = name
  }

  mutating func decode(_ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool, into units: inout [UInt32]) throws
  {
    guard level != .byte else { return units.append(contentsOf: bytes.lazy.map { UInt32($0) }) }
    if isFirst, let encoding = otherEncoding(of: bytes) {
      throw DataError(
        "is text in \(encoding), not in UTF-8; convert it (iconv -f \(encoding) -t UTF-8 OLD > NEW), or import it with "
          + "--level byte", path: name)
    }
    try convertingFailures { try decoder.decode(bytes, into: &units) }
    if isFirst, units.first == 0xFEFF {
      hasMark = true
      units.removeFirst()
    }
  }

  mutating func finish() throws { try convertingFailures { try decoder.finish() } }

  private func convertingFailures(_ body: () throws -> Void) throws {
    do { try body() } catch let failure as UTF8Decoder.Failure {
      throw DataError(
        "not valid UTF-8: the bytes at offset \(failure.offset) are no character; convert "
          + "the file, or import it with --level byte", path: name, line: failure.line)
    }
  }

  /// UTF-16 or UTF-32, where the text begins with its mark, or so many bytes of it are zero as in that encoding of most
  /// languages.
  private func otherEncoding(of bytes: UnsafeBufferPointer<UInt8>) -> String? {
    let marks: [(String, [UInt8])] = [
      ("UTF-32LE", [0xFF, 0xFE, 0, 0]), ("UTF-32BE", [0, 0, 0xFE, 0xFF]), ("UTF-16LE", [0xFF, 0xFE]),
      ("UTF-16BE", [0xFE, 0xFF]),
    ]
    if let (name, _) = marks.first(where: { bytes.starts(with: $0.1) }) { return name }
    let characters = min(bytes.count, 4096) / 4
    guard characters >= 4 else { return nil }
    var zeros = [0, 0, 0, 0]
    for place in 0..<characters * 4 where bytes[place] == 0 { zeros[place % 4] += 1 }
    if zeros[2] == characters && zeros[3] == characters { return "UTF-32LE" }
    if zeros[0] == characters && zeros[1] == characters { return "UTF-32BE" }
    let (even, odd) = (zeros[0] + zeros[2], zeros[1] + zeros[3])
    if odd > characters && even * 10 < odd { return "UTF-16LE" }
    if even > characters && odd * 10 < even { return "UTF-16BE" }
    return nil
  }
}

/// Counts the lines that end with CR LF, and makes them end with LF where that is wanted.
private struct NewlineFilter {
  private let ends: Newlines
  /// The lines so far.
  private(set) var count = 0
  private var endsWithReturn = false

  init(_ ends: Newlines) { self.ends = ends }

  mutating func filter(_ units: [UInt32]) -> [UInt32] {
    guard ends == .unix else {
      for unit in units {
        if unit == 0x0A && endsWithReturn { count += 1 }
        endsWithReturn = unit == 0x0D
      }
      return units
    }
    var kept: [UInt32] = []
    kept.reserveCapacity(units.count + 1)
    for unit in units {
      if endsWithReturn {
        if unit == 0x0A { count += 1 } else { kept.append(0x0D) }
      }
      endsWithReturn = unit == 0x0D
      if !endsWithReturn { kept.append(unit) }
    }
    return kept
  }

  /// What is left at the end of the text.
  mutating func finish() -> [UInt32] { ends == .unix && endsWithReturn ? [0x0D] : [] }
}
