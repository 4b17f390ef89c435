import Chunks
import HDF5
import Preconditions
import Synchronization

/// A dataset of tokens in an HDF5 file, open for reading.
///
/// The file holds `/values`, all tokens of all streams one after another; `/offsets`, the first token of each stream
/// and the end of the last; `/splits/NAME`, the first token and the end of each split; `/vocabulary`; `/origin`.
/// Everything but the values is read and checked at opening; the values are checked as they are read. It may be read
/// from several threads.
package final class SequenceDataset: Sendable {
  /// What a dataset's file says it is.
  package static let format = DatasetFormat.format

  /// The file's path, as it was given.
  package let path: String
  /// The version of the file's format.
  package let formatVersion: Int
  /// The tokens.
  package let vocabulary: Vocabulary
  /// The splits, in the order in which they lie on the axis of tokens.
  package let splits: [DatasetSplit]
  /// All streams, not cut by splits.
  package let streams: StreamTable
  /// Where the content comes from.
  package let origin: DatasetOrigin
  /// The SHA-256 over values, offsets, splits and vocabulary, in hexadecimal, as the file states it; see `Fingerprint`.
  package let fingerprint: String
  private let file: File
  private let values: Dataset
  private let tokenType: TokenType
  private let memory = Mutex<HeldTokens?>(nil)

  /// What is read at once of a long array: the chunks in which `DatasetWriter` stores bytes.
  static let blockSize = 1 << 18

  /// Opens the dataset at `path`.
  ///
  /// - Throws: `HDF5Error` where the file cannot be read, is no dataset or of a newer format, `DataError` where it is
  ///   unsound (parts that are missing, offsets that do not ascend or do not fit the values, an empty split, an unsound
  ///   vocabulary).
  package convenience init(_ path: String) throws { try self.init(path, isSealed: true) }

  private init(_ path: String, isSealed: Bool) throws {
    self.path = path
    file = try File.open(path, advice: DatasetFormat.format.origin)
    try Self.requireParts(of: file, isSealed: isSealed)
    let attributes = file.attributes
    formatVersion =
      try isSealed || (file.kind() != nil && attributes.contains("format_version"))
      ? DatasetFormat.format.requireVersion(of: file) : DatasetFormat.format.version
    values = try file.dataset(DatasetFormat.values)
    vocabulary = try Vocabulary(from: file)
    fingerprint =
      try isSealed || attributes.contains(DatasetFormat.fingerprint)
      ? attributes.string(DatasetFormat.fingerprint) : ""
    origin = try Self.readOrigin(from: file)
    tokenType = TokenType(vocabulary: vocabulary.count)
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
  package func split(_ name: String) throws -> DatasetSplit {
    if let split = splits.first(where: { $0.name == name }) { return split }
    let names = splits.map(\.name).joined(separator: ", ")
    throw DataError("there is no split \(name.debugDescription); there are \(names)", path: path)
  }

  /// Reads the tokens of a range into `buffer`, which has just as many.
  ///
  /// - Throws: `HDF5Error` where they cannot be read, `DataError` where one is outside the vocabulary.
  package func read(tokens range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Int32>) throws {
    try values.read(rows: range, into: buffer)
    try checkVocabulary(of: buffer, from: range.lowerBound)
  }

  private func checkVocabulary(of tokens: UnsafeMutableBufferPointer<Int32>, from first: Int) throws {
    let limit = UInt32(vocabulary.count)
    // Without a branch for each, so that it runs at vector speed; looked at one by one only where there is a fault.
    guard tokens.reduce(UInt32(0), { max($0, UInt32(bitPattern: $1)) }) >= limit else { return }
    guard let place = tokens.firstIndex(where: { UInt32(bitPattern: $0) >= limit }) else { return }
    throw outsideVocabulary(first + place, tokens[place])
  }

  /// Reads the tokens of a range, to see that they can be read and are in the vocabulary.
  ///
  /// - Throws: As `read(tokens:into:)`.
  package func check(tokens range: Range<Int>) throws { try forEachBlock(of: range) { _, _ in } }

  /// Calls `body` with the tokens of a range, block by block, and the place of each block's first.
  private func forEachBlock(
    of range: Range<Int>, _ body: (UnsafeMutableBufferPointer<Int32>, _ first: Int) throws -> Void
  ) throws {
    let buffer = UnsafeMutableBufferPointer<Int32>.allocate(capacity: min(range.count, Self.blockSize))
    defer { buffer.deallocate() }
    for first in stride(from: range.lowerBound, to: range.upperBound, by: max(1, buffer.count)) {
      let count = min(buffer.count, range.upperBound - first)
      let block = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
      try read(tokens: first..<first + count, into: block)
      try body(block, first)
    }
  }

  /// What chunks of it hold.
  package var tracks: TrackSet { vocabulary.tracks }

  /// The bytes that all tokens take in memory, in the smallest type for the vocabulary.
  package var byteCount: Int { values.count * tokenType.rawValue }

  /// Reads the tokens of a range to their place in `memory`, which has room for all.
  ///
  /// - Throws: As `read(tokens:into:)`.
  package func load(tokens range: Range<Int>, into memory: UnsafeMutableRawBufferPointer) throws {
    precondition(memory.count == byteCount, "\(memory.count) bytes for \(byteCount)")
    switch tokenType {
    case .uint8: try load(range, into: memory.assumingMemoryBound(to: UInt8.self))
    case .uint16: try load(range, into: memory.assumingMemoryBound(to: UInt16.self))
    case .int32: try load(range, into: memory.assumingMemoryBound(to: Int32.self))
    }
  }

  private func load<T: FixedWidthInteger>(
    _ range: Range<Int>, into tokens: UnsafeMutableBufferPointer<T>
  ) throws {
    // By way of 32 bits, which tell tokens outside the vocabulary from others.
    try forEachBlock(of: range) { block, first in
      for (place, token) in zip(first..., block) { tokens[place] = T(truncatingIfNeeded: token) }
    }
  }

  /// Has feeders take tokens from `memory` from now on, to which all have been loaded. It stays until they are closed.
  package func hold(in memory: UnsafeRawBufferPointer) {
    precondition(memory.count == byteCount, "\(memory.count) bytes for \(byteCount)")
    self.memory.withLock { $0 = HeldTokens(memory, tokenType) }
  }

  /// The tokens in memory, where they are held there.
  var held: HeldTokens? { memory.withLock { $0 } }

  private func outsideVocabulary(_ place: Int, _ token: some BinaryInteger) -> DataError {
    DataError(
      "token \(place) is \(token), outside the vocabulary of \(vocabulary.count); make the dataset anew",
      path: path)
  }

  /// Reads everything, from memory where the tokens are held there, and computes the fingerprint anew.
  ///
  /// - Throws: `HDF5Error` or `DataError` where something cannot be read, a token is outside the vocabulary, or the
  ///   fingerprint is not the one that the file states.
  package func verify() throws {
    let found = try computeFingerprint()
    guard found == fingerprint else {
      throw DataError(
        "the content does not have the stated fingerprint (\(fingerprint), found \(found)); make the dataset anew, or "
          + "where it was changed on purpose: seqtrain data seal \(path)", path: path)
    }
  }

  /// Writes into a dataset that another program has made, or changed, what only this one knows: what the file is, and
  /// the fingerprint of its content. All else must be there. The file is replaced as a whole, or left as it is.
  ///
  /// - Throws: As the opening of a dataset, and `FileError` or `HDF5Error` where the file cannot be replaced.
  package static func seal(_ path: String) throws {
    let fingerprint = try SequenceDataset(path, isSealed: false).computeFingerprint()
    try File.changeAtomically(path) { try DatasetFormat.seal($0, fingerprint: fingerprint) }
  }

  private func computeFingerprint() throws -> String {
    switch values.elementType {
    case .integer(bytes: 1, signed: true): try computeFingerprint(Int8.self)
    case .integer(bytes: 1, _): try computeFingerprint(UInt8.self)
    case .integer(bytes: 2, signed: true): try computeFingerprint(Int16.self)
    case .integer(bytes: 2, _): try computeFingerprint(UInt16.self)
    case .integer(bytes: 4, signed: true): try computeFingerprint(Int32.self)
    case .integer(bytes: 4, _): try computeFingerprint(UInt32.self)
    case .integer(_, signed: true): try computeFingerprint(Int64.self)
    default: try computeFingerprint(UInt64.self)
    }
  }

  private func computeFingerprint<T: Storable & FixedWidthInteger>(_ type: T.Type) throws -> String {
    var hash = Fingerprint()
    let held = held
    let block = UnsafeMutableBufferPointer<T>.allocate(capacity: Self.blockSize)
    defer { block.deallocate() }
    for first in stride(from: 0, to: values.count, by: block.count) {
      let range = first..<min(first + block.count, values.count)
      let part = UnsafeMutableBufferPointer(rebasing: block[..<range.count])
      if let held { held.copy(range, to: part) } else { try values.read(rows: range, into: part) }
      if let place = part.firstIndex(where: { !(0..<vocabulary.count).contains(Int(clamping: $0)) }) {
        throw outsideVocabulary(first + place, part[place])
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

  /// Throws unless a file has all parts of a dataset, and names all that it lacks.
  private static func requireParts(of file: File, isSealed: Bool) throws {
    let parts = [
      DatasetFormat.values, DatasetFormat.offsets, DatasetFormat.splits, DatasetFormat.vocabulary,
    ]
    let present = try parts.filter { try file.exists($0) }
    if present.contains(DatasetFormat.values) {
      try requireTokens(file.dataset(DatasetFormat.values))
    }
    let others = try DatasetFormat.otherTracks.filter { try file.exists($0) }
    let kind = try file.kind()
    // A file that is nothing like a dataset.
    if kind.map({ $0 != DatasetFormat.format.kind }) ?? (present.isEmpty && others.isEmpty) {
      _ = try DatasetFormat.format.requireVersion(of: file)
    }
    guard others.isEmpty else {
      throw DataError(
        "has \(others.map { "/\($0)" }.joined(separator: ", ")), but only streams of tokens (/values) are trained on yet",
        path: file.filePath)
    }
    var missing = parts.filter { !present.contains($0) }.map { "/\($0)" }
    if present.contains(DatasetFormat.vocabulary),
      try !file.dataset(DatasetFormat.vocabulary).attributes.contains(DatasetFormat.level)
    {
      let levels = TokenLevel.allCases.map(\.rawValue).joined(separator: ", ")
      missing.append("the attribute \"\(DatasetFormat.level)\" of /vocabulary (\(levels))")
    }
    let seals = isSealed ? try DatasetFormat.seals.filter { try !file.attributes.contains($0) } : []
    guard !missing.isEmpty || !seals.isEmpty else { return }
    var sentences: [String] = []
    if !missing.isEmpty { sentences.append("add \(missing.joined(separator: ", "))") }
    if !seals.isEmpty {
      let names = seals.map { "\"\($0)\"" }.joined(separator: ", ")
      sentences.append(
        "write the \(seals.count == 1 ? "attribute" : "attributes") \(names) by: seqtrain data seal \(file.filePath)"
      )
    }
    throw DataError("is not a whole dataset: \(sentences.joined(separator: "; then "))", path: file.filePath)
  }

  private static func requireTokens(_ values: Dataset) throws {
    if values.shape.count == 1, case .integer = values.elementType { return }
    throw DataError(
      "/values holds \(values.elementType) in shape \(values.shape), but only streams of tokens are trained on yet: whole "
        + "numbers in one dimension", path: values.filePath)
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
    guard try file.exists(DatasetFormat.origin) else { return DatasetOrigin(command: nil) }
    let attributes = try file.group(DatasetFormat.origin).attributes
    let command = try attributes.contains("command") ? attributes.string("command") : nil
    guard try file.exists(DatasetFormat.originFiles) else { return DatasetOrigin(command: command) }
    let names = try file.dataset(DatasetFormat.originFiles).readStrings()
    let sizes = try file.dataset(DatasetFormat.originSizes).readArray(of: Int.self)
    return DatasetOrigin(command: command, files: zip(names, sizes).map { ($0, $1) })
  }
}
