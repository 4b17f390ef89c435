import FileSystem
import HDF5

/// An array of all imported files, row after row.
struct ArrayRows {
  /// Its path in the files, and what messages call it.
  let name: String
  /// The numbers of a row.
  private(set) var width = 1
  /// Whether the files store integers.
  private(set) var isInteger = false
  /// [rows, width]; NaN where a value is missing.
  private var values: [Double] = []

  init(_ name: String) { self.name = name }

  var count: Int { values.count / width }

  /// Adds the array of a file and returns the number of its rows.
  ///
  /// - Throws: `HDF5Error` where there is no such array of numbers; `DataError` where it has another shape than [N] or
  ///   [N, D], other rows than the files before, or a number that float32 can't hold.
  mutating func read(_ file: File) throws -> Int {
    let dataset = try file.dataset(String(name.drop { $0 == "/" }))
    guard (1...2).contains(dataset.shape.count), dataset.rowSize > 0, dataset.rowCount > 0 else {
      throw error("has shape \(dataset.shape), expected [N] or [N, D], both above 0", file)
    }
    let isInteger = if case .integer = dataset.elementType { true } else { false }
    guard count == 0 || (width == dataset.rowSize && self.isInteger == isInteger) else {
      throw error(
        "holds rows of \(dataset.rowSize) \(isInteger ? "integers" : "real numbers"), expected \(width) "
          + "\(self.isInteger ? "integers" : "real numbers") as in the files before", file)
    }
    (width, self.isInteger) = (dataset.rowSize, isInteger)
    let read = try dataset.readArray(of: Double.self)
    if let place = read.firstIndex(where: { $0.magnitude > Double(Float.greatestFiniteMagnitude) }) {
      throw error(
        "row \(place / width), column \(place % width), is \(read[place]), expected a number that float32 can hold",
        file)
    }
    values += read
    return dataset.rowCount
  }

  private func error(_ message: String, _ file: File) -> DataError {
    DataError("\(name): \(message)", path: file.filePath)
  }

  /// These rows, in their order.
  func rows(_ rows: some Collection<Int>) -> ArrayRows {
    var other = self
    other.values = rows.flatMap { values[$0 * width..<($0 + 1) * width] }
    return other
  }

  /// The numbers, where they are integers, one a row.
  var tokens: [Int]? { isInteger && width == 1 ? values.map { Int($0) } : nil }

  /// Whether every number is 0 or 1.
  var isBinary: Bool { values.allSatisfy { $0 == 0 || $0 == 1 } }

  /// The columns, named by the array and, where there are several, their places.
  var table: NumberTable {
    let name = name.split(separator: "/").last.map { String($0) } ?? name
    return NumberTable(names: width == 1 ? [name] : (0..<width).map { "\(name) \($0)" }, values: values)
  }

  /// A track of the tokens; there are `size`, or as many as the largest tells.
  func prepared(tokens: [Int], size: Int?) throws -> PreparedTrack {
    let size = size ?? (tokens.max() ?? 0) + 1
    if let place = tokens.firstIndex(where: { !(0..<size).contains($0) }) {
      throw DataError(
        "\(name): row \(place) is \(tokens[place]), expected \(size > 0 ? "0 to \(size - 1)" : "0 or more"): integers are tokens"
      )
    }
    guard size <= Self.largestVocabulary else {
      throw DataError(
        "\(name): the largest number is \(size - 1), which would make a vocabulary of \(size) tokens; at most "
          + "\(Self.largestVocabulary) are possible, so number them anew, or store frames as real numbers")
    }
    let vocabulary = try Vocabulary(level: .label, spellings: (0..<size).map { "\($0)" })
    return PreparedTrack(
      description: .tokens(vocabulary), values: .tokens(tokens.map { Int32($0) }))
  }

  private static let largestVocabulary = 1 << 24

  /// The numbers as weights: one a row, or one for each unit of a target of that width.
  func weights(targets: Int) throws -> [Float] {
    guard width == 1 || width == targets else {
      throw DataError(
        "\(name): has rows of \(width), expected one weight a row, or \(targets), one for each unit of the target"
      )
    }
    return values.map { Float($0) }
  }

  /// The numbers as numbers of parts.
  fileprivate func parts(_ file: File) throws -> [UInt8] {
    try values.enumerated().map { row, value in
      guard width == 1, (0...2).contains(value), let part = UInt8(exactly: value) else {
        throw error("row \(row) is \(value), expected 0 (train), 1 (validation) or 2 (test)", file)
      }
      return part
    }
  }

  /// The numbers as offsets of streams.
  fileprivate func offsets(of count: Int, _ file: File) throws -> [Int] {
    guard isInteger, width == 1 else { throw error("holds no integers, expected where streams begin", file) }
    let offsets = values.map { Int($0) }
    guard offsets.first == 0, offsets.last == count else {
      throw error(
        "goes from \(offsets.first ?? 0) to \(offsets.last ?? 0), expected from 0 to \(count), the number of positions: it "
          + "has where each stream begins and, at last, where the last ends", file)
    }
    if let stream = offsets.indices.dropLast().first(where: { offsets[$0] >= offsets[$0 + 1] }) {
      throw error(
        "stream \(stream) goes from \(offsets[stream]) to \(offsets[stream + 1]); every stream must have a position",
        file)
    }
    return offsets
  }
}

/// The arrays of all imported files.
struct ImportedArrays {
  private let names: ArrayNames
  private let partName: String?
  private(set) var inputs: ArrayRows
  private(set) var targets: ArrayRows?
  private(set) var weights: ArrayRows?
  private(set) var initial: ArrayRows?
  /// Where streams begin.
  private(set) var offsets = [0]
  /// Whether targets and weights have a row a stream.
  private(set) var hasStreamTargets = false
  /// The part of each position.
  private var parts: [UInt8] = []

  /// None yet; `part` names the array that tells parts.
  init(_ names: ArrayNames, part: String?) {
    self.names = names
    partName = part
    inputs = ArrayRows(names.inputs)
    targets = names.targets.map { ArrayRows($0) }
    weights = names.weights.map { ArrayRows($0) }
    initial = names.initial.map { ArrayRows($0) }
  }

  /// Adds a file's arrays, and returns its size in bytes.
  ///
  /// - Throws: `HDF5Error` or `DataError` where one is missing, or does not fit the others.
  mutating func read(_ path: String) throws -> Int {
    let file = try File.open(path, advice: "name a file with the arrays to be imported")
    let count = try inputs.read(file)
    let fileOffsets: [Int]
    if let name = names.offsets {
      var array = ArrayRows(name)
      _ = try array.read(file)
      fileOffsets = try array.offsets(of: count, file)
    } else {
      fileOffsets = [0, count]
    }
    let streams = fileOffsets.count - 1
    func require(_ rows: Int, _ name: String?, _ expected: [(Int, String)]) throws {
      guard !expected.contains(where: { $0.0 == rows }) else { return }
      let counts = expected.map { "\($0.0) (\($0.1))" }.joined(separator: " or ")
      throw DataError("\(name ?? ""): has \(Wording.counted(rows, "row")), expected \(counts)", path: path)
    }
    let (positionRows, streamRows) = ((count, "one a position"), (streams, "one a stream"))
    if let rows = try targets?.read(file) {
      try require(rows, names.targets, [positionRows, streamRows])
      let isOfStreams = rows != count
      guard offsets.count == 1 || isOfStreams == hasStreamTargets || streams == count else {
        throw DataError(
          "\(names.targets ?? ""): has a row a \(isOfStreams ? "stream" : "position"), unlike the files before",
          path: path)
      }
      hasStreamTargets = isOfStreams
    }
    if let rows = try weights?.read(file) {
      try require(rows, names.weights, [hasStreamTargets ? streamRows : positionRows])
    }
    if let rows = try initial?.read(file) { try require(rows, names.initial, [streamRows]) }
    if let name = partName {
      let found = try Self.parts(file, name)
      try require(found.count, name, [positionRows, streamRows])
      for stream in 0..<streams {
        for position in fileOffsets[stream]..<fileOffsets[stream + 1] {
          parts.append(found[found.count == count ? position : stream])
        }
      }
    }
    let first = offsets[offsets.count - 1]
    offsets += fileOffsets.dropFirst().map { $0 + first }
    return try Files.size(of: path)
  }

  /// What an array says of the parts, as numbers, or by their names.
  private static func parts(_ file: File, _ name: String) throws -> [UInt8] {
    let path = String(name.drop { $0 == "/" })
    switch try file.dataset(path).elementType {
    case .float, .integer:
      var array = ArrayRows(name)
      _ = try array.read(file)
      return try array.parts(file)
    case .string, .text:
      return try file.dataset(path).readStrings().enumerated().map { row, text in
        guard let part = RowOrder.part(named: text) else {
          throw DataError(
            "\(name): row \(row) is \(text.debugDescription), expected one of "
              + "\(SplitPlan.names.joined(separator: ", "))", path: file.filePath)
        }
        return part
      }
    }
  }

  /// Puts the streams in the order of their parts, and returns the number of streams up to the end of each part.
  mutating func sortByPart() -> [Int] {
    let streams = zip(Int32(0)..., zip(offsets, offsets.dropFirst())).flatMap { stream, ends in
      repeatElement(stream, count: ends.1 - ends.0)
    }
    let order = RowOrder(parts: parts, atLeast: 2, streams: streams)
    inputs = inputs.rows(order.rows)
    targets = targets?.rows(hasStreamTargets ? order.streams : order.rows)
    weights = weights?.rows(hasStreamTargets ? order.streams : order.rows)
    initial = initial?.rows(order.streams)
    offsets = order.offsets
    return order.ends
  }
}
