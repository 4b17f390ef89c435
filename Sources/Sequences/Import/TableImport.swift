import Chunks
import FileSystem

/// Which columns of a table are taken, and as what.
package struct TableColumns: Sendable {
  /// What the model reads.
  package var inputs: [String]
  /// What it should say; none where that is the input further on.
  package var targets: [String] = []
  /// What tells the streams apart; nil where each file is one.
  package var stream: String?
  /// What the rows of a stream are sorted by; nil where they stay in their order.
  package var time: String?

  /// These columns.
  package init(inputs: [String], targets: [String] = [], stream: String? = nil, time: String? = nil) {
    self.inputs = inputs
    self.targets = targets
    self.stream = stream
    self.time = time
  }

  /// The columns that hold numbers, each once.
  fileprivate var numbers: [String] { inputs + targets.filter { !inputs.contains($0) } }
}

/// Makes a dataset from tables of numbers: CSV or TSV with the columns' names in the first row.
package struct TableImport: DatasetImport {
  private let parts: PartPlan
  private let columns: TableColumns
  private let horizon: Int?
  private let missing: MissingInputs

  /// An import of these parts.
  ///
  /// - Parameters:
  ///   - horizon: How many rows ahead the target lies; nil for 0 with target columns, and 1 without.
  ///   - missing: What becomes of missing inputs.
  /// - Throws: `DataError` where there is no input column, or one is named twice.
  package init(
    _ parts: PartPlan, columns: TableColumns, horizon: Int? = nil, missing: MissingInputs = .mask
  ) throws {
    for (what, names) in [("input", columns.inputs), ("target", columns.targets)] {
      guard Set(names).count == names.count else {
        throw DataError("the \(what) columns \(names.joined(separator: ",")) name one twice")
      }
    }
    guard !columns.inputs.isEmpty else { throw DataError("there are no input columns") }
    self.parts = parts
    self.columns = columns
    self.horizon = horizon
    self.missing = missing
  }

  package func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String]) {
    let texts = try ImportedTexts(parts, command: command, keptIn: directory, progress: progress)
    var rows = TableRows(columns, partColumn: parts.name)
    _ = try texts.read {
      try rows.read($0, texts.reader, part: UInt8($1))
    } streams: {
      0
    }
    guard !rows.isEmpty else { throw texts.without("row of numbers") }
    let (order, isSorted) = try rows.order(partCount: max(2, texts.groups.count))
    let splits = try parts.splits(offsets: order.offsets, ends: order.ends)
    let table = rows.table(order)
    let training = splits[0].range
    let inputs = table.columns(columns.inputs)
    let normalization = try Normalization(inputs, training: training)
    let input = try PreparedTrack(input: inputs, normalization, missing, offsets: order.offsets)
    var target: PreparedTrack?
    var remarks = (isSorted ? [] : ["sorted the rows by \(columns.time ?? "time")"]) + normalization.remarks
    if !columns.targets.isEmpty {
      let targets = table.columns(columns.targets)
      let normalization = try Normalization(targets, training: training)
      target = try PreparedTrack(target: targets, normalization)
      remarks += normalization.remarks.filter { !remarks.contains($0) }
    }
    let content = try DatasetContent(
      input: input, target: target, horizon: horizon, offsets: order.offsets, splits: splits,
      origin: texts.origin)
    return (content, remarks)
  }
}

/// The rows of tables, in the order in which they were read.
struct TableRows {
  private let columns: TableColumns
  private let partColumn: String?
  private var values: [Double] = []
  private var parts: [UInt8] = []
  private var streams: [Int32] = []
  private var times: [TimeOfRow] = []
  private var streamNames = Lexicon(.label)
  private var places = SourcePlaces()
  private var fileCount = 0

  /// No rows yet, of which these columns are taken. `partColumn` tells which part a row belongs to.
  init(_ columns: TableColumns, partColumn: String?) {
    self.columns = columns
    self.partColumn = partColumn
  }

  var isEmpty: Bool { parts.isEmpty }

  /// Adds the rows of a file, which belong to a part unless a column tells theirs.
  ///
  /// - Throws: `DataError` where a column is missing or there twice, a row has another number of fields than the first,
  ///   or a field is not what its column holds.
  mutating func read(_ source: TextSource, _ reader: TextReader, part: UInt8) throws {
    var header: TableHeader?
    places.begin(source)
    try DelimitedText.read(source, reader) { fields, line in
      guard let header else {
        header = try TableHeader(fields, columns, partColumn: partColumn, source.name, line)
        return
      }
      let row = TableRow(fields: fields, file: source.name, line: line)
      try row.require(count: header.width)
      for place in header.numbers { values.append(try row.number(at: place, header)) }
      parts.append(try header.part.map { try row.part(at: $0, header) } ?? part)
      streams.append(header.stream.map { streamNames.number(of: Array(fields[$0].utf8)) } ?? Int32(fileCount))
      if let time = header.time { times.append(try row.time(at: time, header, like: times.last)) }
      places.append(line: line)
    }
    fileCount += 1
  }

  /// The order in which the rows stand in a dataset, and whether those of each stream have been in the order of time.
  ///
  /// - Throws: `DataError` where a time is there twice in a stream.
  func order(partCount: Int) throws -> (order: RowOrder, isSorted: Bool) {
    guard let name = columns.time else {
      return (RowOrder(parts: parts, atLeast: partCount, streams: streams), true)
    }
    let order = RowOrder(parts: parts, atLeast: partCount, streams: streams) { times[$0] < times[$1] }
    var isSorted = true
    for (first, end) in zip(order.offsets, order.offsets.dropFirst()) {
      for place in first + 1..<max(first + 1, end) {
        let (before, row) = (order.rows[place - 1], order.rows[place])
        if row < before { isSorted = false }
        guard times[before] < times[row] else {
          throw places.error(
            "the time in column \(name.debugDescription) is that of another row of its stream (\(places.text(before))); "
              + (columns.stream == nil
                ? "name the column that tells streams apart with --stream" : "leave one of them out"),
            at: row)
        }
      }
    }
    return (order, isSorted)
  }

  /// The numbers, in this order.
  func table(_ order: RowOrder) -> NumberTable {
    let names = columns.numbers
    return NumberTable(
      names: names,
      values: order.rows.flatMap { values[$0 * names.count..<($0 + 1) * names.count] })
  }
}

/// Where the columns stand that are taken from a file.
private struct TableHeader {
  let names: [String]
  let numbers: [Int]
  let stream: Int?
  let time: Int?
  let part: Int?

  var width: Int { names.count }

  init(_ names: [String], _ columns: TableColumns, partColumn: String?, _ file: String, _ line: Int) throws {
    self.names = names
    func place(_ name: String) throws -> Int {
      let places = names.indices.filter { names[$0] == name }
      guard let place = places.first, places.count == 1 else {
        throw DataError(
          places.isEmpty
            ? "there is no column \(name.debugDescription); there are \(Self.list(names))"
            : "there are \(places.count) columns \(name.debugDescription); rename one", path: file, line: line
        )
      }
      return place
    }
    numbers = try columns.numbers.map(place)
    stream = try columns.stream.map(place)
    time = try columns.time.map(place)
    part = try partColumn.map(place)
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(20).map { String($0.prefix(40)).printable() }.joined(separator: ", ")
      + (names.count > 20 ? ", ..." : "")
  }
}

/// The fields of one row, and where it was read.
private struct TableRow {
  let fields: [String]
  let file: String
  let line: Int

  func require(count: Int) throws {
    guard fields.count == count else {
      throw DataError(
        "has \(Wording.counted(fields.count, "field")), expected \(count) as in the first row", path: file,
        line: line)
    }
  }

  /// A number; NaN where it is missing: where there is nothing, NA or NaN.
  func number(at place: Int, _ header: TableHeader) throws -> Double {
    let field = fields[place]
    if let number = Double(field) ?? Double(field.trimmed) {
      guard number.magnitude <= Double(Float.greatestFiniteMagnitude) || number.isNaN else {
        throw error(place, header, "expected a number that float32 can hold")
      }
      return number
    }
    guard ["", "na"].contains(field.trimmed.lowercased()) else {
      throw error(place, header, "expected a number, or nothing, NA or NaN where it is missing")
    }
    return .nan
  }

  func time(at place: Int, _ header: TableHeader, like last: TimeOfRow?) throws -> TimeOfRow {
    guard let time = TimeOfRow(fields[place].trimmed), time.isDate == last?.isDate ?? time.isDate else {
      throw error(
        place, header,
        last.map { "expected a \($0.isDate ? "date" : "number") as in the rows before" }
          ?? "expected a number, or a date such as 2026-01-31 or 2026-01-31T12:30:00")
    }
    return time
  }

  func part(at place: Int, _ header: TableHeader) throws -> UInt8 {
    guard let part = RowOrder.part(named: fields[place].trimmed) else {
      throw error(place, header, "expected one of \(SplitPlan.names.joined(separator: ", "))")
    }
    return part
  }

  private func error(_ place: Int, _ header: TableHeader, _ expected: String) -> DataError {
    DataError(
      "column \(header.names[place].debugDescription) holds \(String(fields[place].prefix(40)).debugDescription), \(expected)",
      path: file, line: line)
  }
}

extension String {
  /// Without the spaces around it.
  fileprivate var trimmed: String {
    guard first == " " || last == " " else { return self }
    return String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
