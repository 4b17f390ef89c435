import HDF5
import Synchronization

/// A dataset of tokens in an HDF5 file, open for reading.
///
/// The file holds `/values`, all tokens of all streams one after another; `/offsets`, the first token of each stream
/// and the end of the last; `/splits/NAME`, the first token and the end of each split; `/vocabulary`; `/origin`.
/// Everything but the values is read and checked at opening; the values are checked as they are read. It may be read
/// from several threads.
public final class SequenceDataset: Sendable {
  /// What a dataset's file says it is.
  public static let format = DatasetFormat.format

  /// The file's path, as it was given.
  public let path: String
  /// The version of the file's format.
  public let formatVersion: Int
  /// The tokens.
  public let vocabulary: Vocabulary
  /// The splits, in the order in which they lie on the axis of tokens.
  public let splits: [DatasetSplit]
  /// All streams, not cut by splits.
  public let streams: StreamTable
  /// Where the content comes from.
  public let origin: DatasetOrigin
  /// The SHA-256 over values, offsets, splits and vocabulary, in hexadecimal, as the file states it.
  public let fingerprint: String
  private let file: File
  private let values: Dataset
  private let tokenType: TokenType
  private let memory = Mutex<HeldTokens?>(nil)

  /// What is read at once of a long array: the chunks in which `DatasetWriter` stores bytes.
  static let blockSize = 1 << 18

  /// Opens the dataset at `path`.
  ///
  /// - Throws: `HDF5Error` where the file cannot be read, is no dataset or of a newer format, `DataError` where it is
  ///   unsound (offsets that do not ascend or do not fit the values, an empty split, an unsound vocabulary).
  public init(_ path: String) throws {
    self.path = path
    (file, formatVersion) = try File.open(path, as: DatasetFormat.format)
    values = try file.dataset(DatasetFormat.values)
    try values.require(rank: 1)
    vocabulary = try Vocabulary(from: file)
    fingerprint = try file.attributes.string("fingerprint")
    origin = try Self.readOrigin(from: file)
    guard
      [
        .integer(bytes: 1, signed: false), .integer(bytes: 2, signed: false),
        .integer(bytes: 4, signed: true),
      ]
      .contains(values.elementType)
    else {
      throw DataError("/values holds \(values.elementType), expected uint8, uint16 or int32", path: path)
    }
    tokenType = TokenType(rawValue: values.elementType.size) ?? .int32
    do {
      streams = try Self.readStreams(from: file)
      guard streams.tokens == 0..<values.count else {
        throw DataError(
          "/offsets goes from \(streams.tokens.lowerBound) to \(streams.tokens.upperBound), expected 0 to "
            + "\(values.count), the number of values")
      }
      splits = try Self.readSplits(from: file, streams: streams)
    } catch let error as DataError { throw DataError("\(error); make the dataset anew", path: path) }
  }

  /// The split of this name.
  ///
  /// - Throws: `DataError` that names those there are.
  public func split(_ name: String) throws -> DatasetSplit {
    if let split = splits.first(where: { $0.name == name }) { return split }
    let names = splits.map(\.name).joined(separator: ", ")
    throw DataError("there is no split \(name.debugDescription); there are \(names)", path: path)
  }

  /// Reads the tokens of a range into `buffer`, which has just as many.
  ///
  /// - Throws: `HDF5Error` where they cannot be read, `DataError` where one is outside the vocabulary.
  public func read(tokens range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Int32>) throws {
    try values.read(rows: range, into: buffer)
    try checkVocabulary(of: UnsafeBufferPointer(buffer), from: range.lowerBound)
  }

  private func checkVocabulary<T: FixedWidthInteger>(of tokens: UnsafeBufferPointer<T>, from first: Int)
    throws
  {
    let limit = UInt32(vocabulary.count)
    // Without a branch for each, so that it runs at vector speed; looked at one by one only where there is a fault.
    guard tokens.reduce(UInt32(0), { max($0, UInt32(truncatingIfNeeded: $1)) }) >= limit else { return }
    guard let place = tokens.firstIndex(where: { UInt32(truncatingIfNeeded: $0) >= limit }) else { return }
    throw outsideVocabulary(first + place, Int(tokens[place]))
  }

  /// Reads the tokens of a range, to see that they can be read and are in the vocabulary.
  ///
  /// - Throws: As `read(tokens:into:)`.
  public func check(tokens range: Range<Int>) throws {
    let block = UnsafeMutableBufferPointer<Int32>.allocate(capacity: min(range.count, Self.blockSize))
    defer { block.deallocate() }
    for first in stride(from: range.lowerBound, to: range.upperBound, by: max(1, block.count)) {
      let part = first..<min(first + block.count, range.upperBound)
      try read(tokens: part, into: UnsafeMutableBufferPointer(rebasing: block[..<part.count]))
    }
  }

  /// The bytes that all tokens take in memory, in the type in which they are stored.
  public var byteCount: Int { values.count * tokenType.rawValue }

  /// Reads the tokens of a range to their place in `memory`, which has room for all.
  ///
  /// - Throws: As `read(tokens:into:)`.
  public func load(tokens range: Range<Int>, into memory: UnsafeMutableRawBufferPointer) throws {
    precondition(memory.count == byteCount, "\(memory.count) bytes for \(byteCount)")
    switch tokenType {
    case .uint8: try load(range, into: memory.assumingMemoryBound(to: UInt8.self))
    case .uint16: try load(range, into: memory.assumingMemoryBound(to: UInt16.self))
    case .int32: try load(range, into: memory.assumingMemoryBound(to: Int32.self))
    }
  }

  private func load<T: Storable & FixedWidthInteger>(
    _ range: Range<Int>, into tokens: UnsafeMutableBufferPointer<T>
  ) throws {
    for first in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockSize) {
      let part = first..<min(first + Self.blockSize, range.upperBound)
      let block = UnsafeMutableBufferPointer(rebasing: tokens[part])
      try values.read(rows: part, into: block)
      try checkVocabulary(of: UnsafeBufferPointer(block), from: first)
    }
  }

  /// Has feeders take tokens from `memory` from now on, to which all have been loaded. It stays until they are closed.
  public func hold(in memory: UnsafeRawBufferPointer) {
    precondition(memory.count == byteCount, "\(memory.count) bytes for \(byteCount)")
    self.memory.withLock { $0 = HeldTokens(memory, tokenType) }
  }

  /// The tokens in memory, where they are held there.
  var held: HeldTokens? { memory.withLock { $0 } }

  private func outsideVocabulary(_ place: Int, _ token: Int) -> DataError {
    DataError(
      "token \(place) is \(token), outside the vocabulary of \(vocabulary.count); make the dataset anew",
      path: path)
  }

  /// Reads everything and computes the fingerprint anew.
  ///
  /// - Throws: `HDF5Error` or `DataError` where something cannot be read, a token is outside the vocabulary, or the
  ///   fingerprint is not the one that the file states.
  public func verify() throws {
    let found =
      switch values.elementType.size {
      case 1: try computeFingerprint(UInt8.self)
      case 2: try computeFingerprint(UInt16.self)
      default: try computeFingerprint(Int32.self)
      }
    guard found == fingerprint else {
      throw DataError(
        "the content does not have the stated fingerprint (\(fingerprint), found \(found)); make the dataset anew",
        path: path)
    }
  }

  private func computeFingerprint<T: Storable & FixedWidthInteger>(_ type: T.Type) throws -> String {
    var hash = Fingerprint()
    let block = UnsafeMutableBufferPointer<T>.allocate(capacity: Self.blockSize)
    defer { block.deallocate() }
    for first in stride(from: 0, to: values.count, by: block.count) {
      let range = first..<min(first + block.count, values.count)
      let part = UnsafeMutableBufferPointer(rebasing: block[..<range.count])
      try values.read(rows: range, into: part)
      if let place = part.firstIndex(where: { !(0..<vocabulary.count).contains(Int($0)) }) {
        throw outsideVocabulary(first + place, Int(part[place]))
      }
      hash.update(UnsafeBufferPointer(part))
    }
    return hash.digest(
      type: values.elementType, offsets: streams.offsets, splits: splits.map { ($0.name, $0.streams.tokens) },
      vocabulary: vocabulary)
  }

  private static func readStreams(from file: File) throws -> StreamTable {
    let dataset = try file.dataset(DatasetFormat.offsets)
    try dataset.require(rank: 1)
    var offsets = StreamOffsets(capacity: dataset.count)
    for first in stride(from: 0, to: dataset.count, by: blockSize) {
      let rows = first..<min(first + blockSize, dataset.count)
      try dataset.readArray(of: Int.self, rows: rows).withUnsafeBufferPointer { try offsets.append($0) }
    }
    return try StreamTable(offsets)
  }

  private static func readSplits(from file: File, streams: StreamTable) throws -> [DatasetSplit] {
    let group = try file.group(DatasetFormat.splits)
    let splits = try group.childNames().map { name in
      let dataset = try group.dataset(name)
      try dataset.require(shape: [2])
      let ends = try dataset.readArray(of: Int.self)
      guard ends[0] >= 0, ends[0] < ends[1], ends[1] <= streams.tokens.upperBound else {
        throw DataError(
          "split \(name) goes from token \(ends[0]) to token \(ends[1]) of \(streams.tokens.upperBound); it must not be "
            + "empty, nor reach beyond the end"
        )
      }
      let table = streams.cut(to: ends[0]..<ends[1])
      guard table.pairs > 0 else { throw DataError("split \(name) has no stream of two tokens or more") }
      let floor =
        try dataset.attributes.contains(DatasetFormat.floor)
        ? dataset.attributes.number(DatasetFormat.floor) : nil
      return DatasetSplit(name: name, streams: table, floor: floor)
    }.sorted { $0.streams.tokens.lowerBound < $1.streams.tokens.lowerBound }
    guard !splits.isEmpty else { throw DataError("there are no splits") }
    for (left, right) in zip(splits, splits.dropFirst())
    where left.streams.tokens.overlaps(right.streams.tokens) {
      throw DataError("the splits \(left.name) and \(right.name) overlap")
    }
    return splits
  }

  private static func readOrigin(from file: File) throws -> DatasetOrigin {
    let command = try file.group(DatasetFormat.origin).attributes.string("command")
    guard try file.exists(DatasetFormat.originFiles) else { return DatasetOrigin(command: command) }
    let names = try file.dataset(DatasetFormat.originFiles).readStrings()
    let sizes = try file.dataset(DatasetFormat.originSizes).readArray(of: Int.self)
    return DatasetOrigin(command: command, files: zip(names, sizes).map { ($0, $1) })
  }
}
