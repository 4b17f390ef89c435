/// Where what was read from texts stands: the file and line of each entry, for messages about it.
struct SourcePlaces {
  private var files: [(name: String, first: Int)] = []
  private var lines: [Int32] = []

  /// Begins the entries of a file.
  mutating func begin(_ source: TextSource) { files.append((source.name, lines.count)) }

  /// Adds an entry at this line of the file.
  mutating func append(line: Int) { lines.append(Int32(clamping: line)) }

  /// What is wrong with the entry of this number.
  func error(_ message: String, at entry: Int) -> DataError {
    DataError(message, path: file(of: entry), line: Int(lines[entry]))
  }

  /// Where an entry stands, for people.
  func text(_ entry: Int) -> String { "\(file(of: entry)), line \(lines[entry])" }

  private func file(of entry: Int) -> String {
    files.last { $0.first <= entry }?.name ?? ""
  }
}

extension DataError {
  /// An error in a line, counted from 1, of the file at `path`.
  init(_ message: String, path: String, line: Int) { self.init("line \(line): \(message)", path: path) }
}

extension TextReader {
  /// Calls `body` with each line of a text, without its line feed, and the line's number from 1.
  ///
  /// - Throws: As `read`, and what `body` throws.
  func readLines(_ source: TextSource, _ body: (_ line: [UInt32], _ number: Int) throws -> Void) throws {
    var line: [UInt32] = []
    var number = 1
    try read(source) { units in
      for unit in units {
        guard unit == 0x0A else {
          line.append(unit)
          continue
        }
        try body(line, number)
        line.removeAll(keepingCapacity: true)
        number += 1
      }
    }
    if !line.isEmpty { try body(line, number) }
  }
}

extension Collection<UInt32> {
  /// The text of these scalar values, as UTF-8.
  var utf8: [UInt8] { flatMap { UTF8.encode(TokenEncoder.scalar($0)) ?? UTF8.encodedReplacementCharacter } }
}
