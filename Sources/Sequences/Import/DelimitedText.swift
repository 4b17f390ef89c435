/// Cuts delimited text into rows of fields, as RFC 4180 describes it: fields that hold the delimiter, a quotation mark or
/// an end of line stand between quotation marks, which are doubled inside them.
///
/// Blank lines are left out. Anything that the RFC leaves open is refused: a quotation mark inside a field that does not
/// begin with one, text behind the closing mark, and a field that is not closed.
package struct DelimitedText {
  private enum Place { case start, plain, quoted, behindQuote }

  /// What separates fields; of the first row's fields, a tab where there is one and a comma otherwise.
  private var delimiter: UInt32?
  private var place = Place.start
  private var field: [UInt8] = []
  private var fields: [String] = []
  private var line = 1
  private var rowLine = 1
  private var quoteLine = 1
  private let name: String

  private static let (comma, tab, quote, lineFeed) = (UInt32(0x2C), UInt32(0x09), UInt32(0x22), UInt32(0x0A))

  /// The rows of a text that messages call `name`.
  ///
  /// - Parameter delimiter: nil to tell it from the first row.
  init(_ name: String, delimiter: UInt32? = nil) {
    self.name = name
    self.delimiter = delimiter
  }

  /// Reads a text, and gives each row and the number of its first line to `body`.
  ///
  /// - Throws: `DataError` where a row is malformed, as `TextReader.read`, and what `body` throws.
  static func read(
    _ source: TextSource, _ reader: TextReader, _ body: (_ row: [String], _ line: Int) throws -> Void
  ) throws {
    var text = DelimitedText(source.name)
    var header: [UInt32] = []
    try reader.read(source) { units in
      var units = units[...]
      if text.delimiter == nil {
        // The delimiter shows in the first line.
        let end = units.firstIndex(of: lineFeed)
        header += units[..<(end ?? units.endIndex)]
        units = end.map { units[$0...] } ?? []
        guard end != nil else { return }
        try text.begin(header, body)
      }
      for unit in units { try text.feed(unit, body) }
    }
    if text.delimiter == nil { try text.begin(header, body) }
    try text.finish(body)
  }

  /// The fields of one row, separated by commas.
  package static func fields(of row: String) throws -> [String] {
    var (text, found) = (DelimitedText("\(row.debugDescription)", delimiter: comma), [String]())
    for scalar in row.unicodeScalars { try text.feed(scalar.value) { row, _ in found += row } }
    try text.finish { row, _ in found += row }
    return found
  }

  private mutating func begin(_ header: [UInt32], _ emit: ([String], Int) throws -> Void) throws {
    delimiter = header.contains(Self.tab) ? Self.tab : Self.comma
    for unit in header { try feed(unit, emit) }
  }

  private mutating func feed(_ unit: UInt32, _ emit: ([String], Int) throws -> Void) throws {
    switch (place, unit) {
    case (.quoted, Self.quote): place = .behindQuote
    case (.quoted, _): append(unit)
    case (.behindQuote, Self.quote):
      append(unit)
      place = .quoted
    case (_, Self.lineFeed): try endRow(emit)
    case (_, delimiter): endField()
    case (.start, Self.quote):
      place = .quoted
      quoteLine = line
    case (.start, _), (.plain, _):
      guard unit != Self.quote else {
        throw error(
          "a quotation mark stands inside a field that does not begin with one; double it, and quote the field"
        )
      }
      append(unit)
      place = .plain
    case (.behindQuote, _):
      throw error("text follows a field's closing quotation mark; double the marks inside the field")
    }
    if unit == Self.lineFeed { line += 1 }
    if fields.isEmpty && place == .start { rowLine = line }
  }

  /// Call at the end of the text.
  private mutating func finish(_ emit: ([String], Int) throws -> Void) throws {
    guard place != .quoted else {
      throw DataError("a quotation mark opens a field that is not closed", path: name, line: quoteLine)
    }
    try endRow(emit)
  }

  private func error(_ message: String) -> DataError { DataError(message, path: name, line: line) }

  private mutating func append(_ unit: UInt32) {
    if unit < 0x80 { field.append(UInt8(unit)) } else { field += CollectionOfOne(unit).utf8 }
  }

  private mutating func endField() {
    fields.append(String(decoding: field, as: UTF8.self))
    field.removeAll(keepingCapacity: true)
    place = .start
  }

  private mutating func endRow(_ emit: ([String], Int) throws -> Void) throws {
    let isBlank = fields.isEmpty && place == .start
    if isBlank { return }
    endField()
    try emit(fields, rowLine)
    fields.removeAll(keepingCapacity: true)
  }
}
