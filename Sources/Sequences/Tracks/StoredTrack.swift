import Chunks
import HDF5
import Preconditions

/// An array of a dataset in its file: a track, or the weights of positions.
struct StoredTrack: Sendable {
  /// What its values are to the streams.
  enum Place: Sendable, Equatable {
    case track(TrackRole)
    /// Those of positions.
    case weights
    /// The source of each, on an axis of its own.
    case source
  }

  let place: Place
  /// What its values are; nil for the weights of positions.
  let description: TrackDescription?
  /// What messages call one of its values.
  let name: String
  private let values: Dataset

  /// The values of a track.
  ///
  /// - Parameter rows: How many rows there must be: one a position, or one a stream.
  /// - Throws: `DataError` where they are of another type or shape.
  init(_ place: Place, _ description: TrackDescription?, _ values: Dataset, name: String, rows: Int) throws {
    self.place = place
    self.description = description
    self.values = values
    self.name = name
    guard values.shape == [rows] || values.shape == [rows, width] else {
      throw DataError(
        "\(values.name) has the shape \(values.shape), expected [\(rows)\(width > 1 ? ", \(width)" : "")]: a row a "
          + "\(isPerStream ? "stream" : "position")")
    }
    switch (description, values.elementType) {
    case (_, .integer), (.frames, .float), (nil, .float): break
    default:
      throw DataError(
        "\(values.name) holds \(values.elementType), expected \(memoryType == .float32 ? "numbers" : "whole numbers")"
      )
    }
  }

  /// The values in a row.
  var width: Int { description?.width ?? 1 }

  /// The number of rows.
  var rows: Int { values.rowCount }

  /// Whether it has a row a stream, rather than one a position.
  var isPerStream: Bool { place == .track(.initial) }

  /// The type of its elements in the file.
  var elementType: ElementType { values.elementType }

  /// The smallest type in memory that has room for its values.
  var memoryType: MemoryType {
    switch description {
    case .tokens(let vocabulary): MemoryType(vocabulary: vocabulary.count)
    case .frames, nil: .float32
    }
  }

  /// What `read` makes of its values.
  var readType: MemoryType { memoryType == .float32 ? .float32 : .int32 }

  /// Reads rows into `buffer`, as int32 or float32 (see `readType`), and checks them.
  ///
  /// - Throws: `HDF5Error` where they can't be read, `DataError` where a number is outside its vocabulary, a value not
  ///   finite, or a weight below 0.
  func read(rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws {
    do {
      if case .tokens(let vocabulary) = description {
        let tokens = buffer.assumingMemoryBound(to: Int32.self)
        try values.read(rows: rows, into: tokens)
        return try checkTokens(UnsafeBufferPointer(tokens), first: rows.lowerBound, vocabulary, name)
      }
      let numbers = buffer.assumingMemoryBound(to: Float.self)
      try values.read(rows: rows, into: numbers)
      if case .frames(let columns) = description, place != .track(.weight) {
        try checkFrames(UnsafeBufferPointer(numbers), first: rows.lowerBound, columns, name)
      } else {
        try checkWeights(UnsafeBufferPointer(numbers), first: rows.lowerBound, width: width)
      }
    } catch let error as DataError { throw DataError("\(error)", path: values.filePath) }
  }

  /// Reads whole numbers in the type in which they are stored, and checks them; otherwise as `read`.
  func read<T: Storable & FixedWidthInteger>(rows: Range<Int>, into tokens: UnsafeMutableBufferPointer<T>)
    throws
  {
    guard case .tokens(let vocabulary) = description else { preconditionFailure("not of tokens") }
    try values.read(rows: rows, into: tokens)
    try check(tokens, from: rows.lowerBound, vocabulary)
  }

  /// Checks whole numbers of any type.
  private func check<T: FixedWidthInteger>(
    _ tokens: UnsafeMutableBufferPointer<T>, from first: Int, _ vocabulary: Vocabulary
  ) throws {
    guard let place = tokens.firstIndex(where: { !(0..<vocabulary.count).contains(Int(clamping: $0)) })
    else { return }
    throw DataError(
      "\(outsideVocabulary(first + place, tokens[place], vocabulary, name))", path: values.filePath)
  }

  /// Calls `body` with rows of a range as `read` reads them, block by block, and the place of each block's first.
  func forEachBlock(
    of range: Range<Int>, _ body: (UnsafeMutableRawBufferPointer, _ rows: Range<Int>) throws -> Void
  ) throws {
    let blockRows = max(1, min(range.count, Self.blockSize / width))
    let rowBytes = width * readType.size
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: blockRows * rowBytes, alignment: 64)
    defer { buffer.deallocate() }
    for first in stride(from: range.lowerBound, to: range.upperBound, by: blockRows) {
      let rows = first..<min(first + blockRows, range.upperBound)
      let block = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(rows.count * rowBytes)])
      try read(rows: rows, into: block)
      try body(block, rows)
    }
  }

  /// The values that are read at once: the chunks in which `DatasetWriter` stores bytes.
  static let blockSize = 1 << 18
}

/// How values are kept in memory.
enum MemoryType {
  case uint8, uint16, int32, float32

  /// The smallest type for the tokens of a vocabulary of this size.
  init(vocabulary count: Int) { self = count <= 1 << 8 ? .uint8 : count <= 1 << 16 ? .uint16 : .int32 }

  /// The bytes of a value.
  var size: Int {
    switch self {
    case .uint8: 1
    case .uint16: 2
    case .int32, .float32: 4
    }
  }
}

/// Rows of a track in memory that stays as long as this is used, and is only read.
struct TrackRows: @unchecked Sendable {
  let base: UnsafeRawPointer
  let type: MemoryType
  let width: Int

  /// Copies whole numbers of a range of rows to `buffer`, which has just as many elements, of a type with room for them.
  func copy<T: FixedWidthInteger>(tokens range: Range<Int>, to buffer: UnsafeMutableBufferPointer<T>) {
    switch type {
    case .uint8: copy(range, of: UInt8.self, to: buffer)
    case .uint16: copy(range, of: UInt16.self, to: buffer)
    case .int32: copy(range, of: Int32.self, to: buffer)
    case .float32: preconditionFailure("not of tokens")
    }
  }

  private func copy<S: FixedWidthInteger, T: FixedWidthInteger>(
    _ range: Range<Int>, of _: S.Type, to buffer: UnsafeMutableBufferPointer<T>
  ) {
    let tokens = UnsafeBufferPointer(
      start: base.assumingMemoryBound(to: S.self) + range.lowerBound, count: range.count)
    for (place, token) in zip(buffer.indices, tokens) { buffer[place] = T(truncatingIfNeeded: token) }
  }
}
