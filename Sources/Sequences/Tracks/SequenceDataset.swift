import Chunks
import FileSystem
import HDF5
import Preconditions
import Synchronization

/// A dataset in an HDF5 file, open for reading: streams of positions, and what stands at each by tracks.
///
/// `/offsets` holds the first position of each stream and the end of the last; `/splits/NAME` the first position and the
/// end of each split; `/origin` where the content comes from. Of tracks, version 2 of the format has a group each:
/// `/input`, `/target`, `/weight` and `/initial`, with `values` and what they are; the attribute `horizon`; and `/weights`,
/// one a position; of pairs `/source`, which has `offsets` of its own. Version 1 is that of language models: `/values`, all
/// tokens, and `/vocabulary`.
/// Everything but the values is read and checked at opening; the values are checked as they are read. It may be read
/// from several threads.
package final class SequenceDataset: Sendable {
  /// What a dataset's file says it is.
  package static let format = DatasetFormat.format

  /// The file's path, as it was given.
  package let path: String
  /// The version of the file's format.
  package let formatVersion: Int
  /// What the data are.
  package let description: DataDescription
  /// The splits, in the order in which they lie on the axis of positions.
  package let splits: [DatasetSplit]
  /// All streams, not cut by splits.
  package let streams: StreamTable
  /// Where the content comes from.
  package let origin: DatasetOrigin
  /// The SHA-256 over all content but its origin, in hexadecimal, as the file states it; see `Fingerprint`,
  /// `TrackFingerprint`.
  package let fingerprint: String
  /// The arrays with values, in the order of the roles; then weights of positions, and sources of pairs.
  let stored: [StoredTrack]
  /// From which position of its source each position follows, where the file says so of pairs.
  private let alignment: Dataset?
  private let file: File
  private let memory = Mutex<[TrackRows]?>(nil)

  /// Opens the dataset at `path`.
  ///
  /// - Throws: `HDF5Error` where the file cannot be read, is no dataset or of a newer format, `DataError` where it is
  ///   unsound (parts that are missing, offsets that do not ascend or do not fit the values, an empty split, an unsound
  ///   vocabulary).
  package convenience init(_ path: String) throws { try self.init(path, isSealed: true) }

  private init(_ path: String, isSealed: Bool) throws {
    self.path = path
    file = try File.open(path, advice: DatasetFormat.format.origin)
    formatVersion = try DatasetFormat.requireParts(of: file, isSealed: isSealed)
    let attributes = file.attributes
    description =
      try formatVersion == 1
      ? .language(Vocabulary(from: file)) : DataDescription(from: file)
    fingerprint =
      try isSealed || attributes.contains(DatasetFormat.fingerprint)
      ? attributes.string(DatasetFormat.fingerprint) : ""
    origin = try DatasetOrigin(from: file)
    do {
      streams = try Self.readStreams(from: file, description)
      try description.source?.requireGrid(of: streams)
      stored = try Self.openTracks(of: description, file, version: formatVersion, streams)
      alignment = try Self.openAlignment(of: description, file, streams)
      splits = try Self.readSplits(
        from: file, streams: streams, position: formatVersion == 1 ? "token" : "position")
    } catch let error as DataError { throw DataError("\(error); make the dataset anew", path: path) }
  }

  private init(_ other: SequenceDataset, _ description: DataDescription) {
    (path, formatVersion, file) = (other.path, other.formatVersion, other.file)
    (streams, splits, stored, alignment) = (other.streams, other.splits, other.stored, other.alignment)
    (origin, fingerprint) = (other.origin, other.fingerprint)
    self.description = description
  }

  /// The same dataset, whose frames models see with the means and scales of another's `DataDescription.normalization`: of
  /// the data that a model was trained on.
  ///
  /// - Throws: `DataError` where they can't be means and scales.
  package func normalized(by normalization: [Float]) throws -> SequenceDataset {
    SequenceDataset(self, try description.normalized(by: normalization))
  }

  /// The split of this name.
  ///
  /// - Throws: `DataError` that names those there are.
  package func split(_ name: String) throws -> DatasetSplit {
    if let split = splits.first(where: { $0.name == name }) { return split }
    let names = splits.map(\.name).joined(separator: ", ")
    throw DataError("there is no split \(name.debugDescription); there are \(names)", path: path)
  }

  // MARK: Values

  package func readTokens(_ role: TrackRole, rows: Range<Int>) throws -> [Int32] {
    try readTokens(track(.track(role)), rows: rows)
  }

  package func readFrames(_ role: TrackRole, rows: Range<Int>) throws -> [Float] {
    try readFrames(track(.track(role)), rows: rows)
  }

  /// Rows of the sources of pairs that are tokens, as `readTokens` reads those of streams.
  package func readSourceTokens(rows: Range<Int>) throws -> [Int32] {
    try readTokens(track(.source), rows: rows)
  }

  /// Rows of the sources of pairs that are frames, as `readFrames` reads those of streams.
  package func readSourceFrames(rows: Range<Int>) throws -> [Float] {
    try readFrames(track(.source), rows: rows)
  }

  private func readTokens(_ track: StoredTrack, rows: Range<Int>) throws -> [Int32] {
    var tokens = [Int32](repeating: 0, count: rows.count)
    try tokens.withUnsafeMutableBytes { try track.read(rows: rows, into: $0) }
    return tokens
  }

  private func readFrames(_ track: StoredTrack, rows: Range<Int>) throws -> [Float] {
    var frames = [Float](repeating: 0, count: rows.count * track.width)
    try frames.withUnsafeMutableBytes { try track.read(rows: rows, into: $0) }
    return frames
  }

  /// Whether it states from which positions of their sources positions follow.
  package var hasAlignment: Bool { alignment != nil }

  /// From which position of its source each of some rows of a stream follows; nil of one that follows from none.
  ///
  /// - Parameter positions: Those of the source.
  /// - Throws: `HDF5Error` where they can't be read, `DataError` where the source has no such position.
  package func readAlignment(rows: Range<Int>, positions: Int) throws -> [Int?] {
    guard let alignment else { preconditionFailure("the dataset states no alignment") }
    let stated = try alignment.readArray(of: Int.self, rows: rows)
    if let place = stated.firstIndex(where: { !(-1..<positions).contains($0) }) {
      throw DataError(
        "/\(DatasetFormat.alignment) says of position \(rows.lowerBound + place) that it follows from position \(stated[place]) of "
          + "its source, which has \(positions); expected -1 (none) to \(positions - 1)", path: path)
    }
    return stated.map { $0 < 0 ? nil : $0 }
  }

  private func track(_ place: StoredTrack.Place) -> StoredTrack {
    guard let track = stored.first(where: { $0.place == place }) else {
      preconditionFailure("the dataset has no track \(place)")
    }
    return track
  }

  /// Reads the values of a range of positions, to see that they can be read and are sound.
  ///
  /// - Throws: `HDF5Error` or `DataError` where they aren't.
  package func check(positions range: Range<Int>) throws {
    for track in stored { try track.forEachBlock(of: rows(of: track, at: range)) { _, _ in } }
  }

  /// The rows of a track that belong to a range of positions: to those, or to the streams that begin there.
  private func rows(of track: StoredTrack, at positions: Range<Int>) -> Range<Int> {
    let numbers = 0..<streams.count
    func number(_ position: Int) -> Int { numbers.partitioningIndex { streams.offset($0) >= position } }
    switch track.place {
    case .track(.initial): return number(positions.lowerBound)..<number(positions.upperBound)
    case .source: return streams.sources(of: number(positions.lowerBound)..<number(positions.upperBound))
    case .track, .weights: return positions
    }
  }

  /// Whether positions have weights of their own.
  package var hasWeights: Bool { stored.contains { $0.place == .weights } }

  /// The targets of a split that count for something: those with a weight above 0, where positions have weights.
  ///
  /// - Throws: `HDF5Error` or `DataError` where the weights can't be read.
  package func targetCount(of split: DatasetSplit) throws -> Int {
    let streams = split.streams
    guard let weights = stored.first(where: { $0.place == .weights }) else { return streams.pairs }
    var (count, stream) = (0, 0)
    try weights.forEachBlock(of: streams.tokens) { block, rows in
      for (position, weight) in zip(rows, block.bindMemory(to: Float.self)) {
        while position >= streams.offset(stream + 1) { stream += 1 }
        if weight > 0 && position >= streams.offset(stream) + description.horizon { count += 1 }
      }
    }
    return count
  }

  /// What chunks of it hold.
  package var tracks: TrackSet { description.tracks }

  // MARK: Memory

  /// The bytes that all values take in memory, each track in the smallest type for it.
  package var byteCount: Int { places.end }

  /// Where each track begins in memory that holds all, and the end of the last.
  private var places: (starts: [Int], end: Int) {
    var (starts, end) = ([Int](), 0)
    for track in stored {
      starts.append((end + 63) / 64 * 64)
      end = starts[starts.count - 1] + track.rows * track.width * track.memoryType.size
    }
    return (starts, end)
  }

  /// Reads the values of a range of positions to their places in `memory`, which has room for all.
  ///
  /// - Throws: As `check`.
  package func load(positions range: Range<Int>, into memory: UnsafeMutableRawBufferPointer) throws {
    precondition(memory.count == byteCount, "\(memory.count) bytes for \(byteCount)")
    for (track, start) in zip(stored, places.starts) {
      let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[start...])
      switch track.memoryType {
      case .uint8: try load(range, of: track, as: UInt8.self, into: bytes)
      case .uint16: try load(range, of: track, as: UInt16.self, into: bytes)
      case .int32, .float32:
        let rowBytes = track.width * track.readType.size
        try track.forEachBlock(of: rows(of: track, at: range)) { block, rows in
          UnsafeMutableRawBufferPointer(rebasing: bytes[(rows.lowerBound * rowBytes)...])
            .copyMemory(from: UnsafeRawBufferPointer(block))
        }
      }
    }
  }

  private func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ range: Range<Int>, of track: StoredTrack, as _: T.Type, into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    guard let tokens = bytes.baseAddress?.assumingMemoryBound(to: T.self) else { return }
    // By way of 32 bits, which tell tokens outside the vocabulary from others.
    try track.forEachBlock(of: rows(of: track, at: range)) { block, rows in
      for (place, token) in zip(rows, block.assumingMemoryBound(to: Int32.self)) {
        tokens[place] = T(truncatingIfNeeded: token)
      }
    }
  }

  /// Has feeders take values from `memory` from now on, to which all have been loaded. It stays until they are closed.
  package func hold(in memory: UnsafeRawBufferPointer) {
    precondition(memory.count == byteCount, "\(memory.count) bytes for \(byteCount)")
    guard let base = memory.baseAddress else { return }
    let rows = zip(stored, places.starts).map {
      TrackRows(base: base + $1, type: $0.memoryType, width: $0.width)
    }
    self.memory.withLock { $0 = rows }
  }

  /// The values of the tracks in memory, where they are held there.
  var held: [TrackRows]? { memory.withLock { $0 } }

  // MARK: Fingerprint

  /// Reads everything, from memory where the values are held there, and computes the fingerprint anew.
  ///
  /// - Throws: `HDF5Error` or `DataError` where something cannot be read or is unsound, or the fingerprint is not the
  ///   one that the file states.
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
    let dataset = try SequenceDataset(path, isSealed: false)
    let fingerprint = try dataset.computeFingerprint()
    try File.changeAtomically(path) {
      try DatasetFormat.seal($0, version: dataset.formatVersion, fingerprint: fingerprint)
    }
  }

  private func computeFingerprint() throws -> String {
    if formatVersion > 1 { return try computeTrackFingerprint() }
    return switch stored[0].elementType {
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

  private var splitRanges: [(name: String, range: Range<Int>)] {
    splits.map { ($0.name, $0.streams.tokens) }
  }

  private func computeFingerprint<T: Storable & FixedWidthInteger>(_ type: T.Type) throws -> String {
    guard let vocabulary = description.languageVocabulary else { preconditionFailure("version 1") }
    var hash = Fingerprint()
    let (held, values) = (held, stored[0])
    let block = UnsafeMutableBufferPointer<T>.allocate(capacity: StoredTrack.blockSize)
    defer { block.deallocate() }
    for first in stride(from: 0, to: values.rows, by: block.count) {
      let range = first..<min(first + block.count, values.rows)
      let part = UnsafeMutableBufferPointer(rebasing: block[..<range.count])
      if let held { held[0].copy(tokens: range, to: part) } else { try values.read(rows: range, into: part) }
      hash.update(UnsafeBufferPointer(part))
    }
    return hash.digest(
      type: values.elementType, offsets: streams.offsets, splits: splitRanges, vocabulary: vocabulary)
  }

  private func computeTrackFingerprint() throws -> String {
    var hash = TrackFingerprint(horizon: description.horizon)
    let held = held
    for (number, track) in stored.enumerated() {
      if let description = track.description {
        hash.begin(track.name, description, count: track.rows * track.width)
      } else {
        hash.beginWeights(count: track.rows)
      }
      if let held {
        held[number].forEachBlock(rows: track.rows) { hash.update($0) }
      } else {
        try track.forEachBlock(of: 0..<track.rows) { block, _ in hash.update(UnsafeRawBufferPointer(block)) }
      }
      if track.place == .source { hash.update(sourceOffsets: streams.sourceOffsets) }
    }
    return hash.digest(offsets: streams.offsets, splits: splitRanges)
  }

  // MARK: Opening

  private static func readStreams(from file: File, _ description: DataDescription) throws -> StreamTable {
    let sources = try description.source.map { _ in
      do { return try readOffsets(DatasetFormat.sourceOffsets, of: file) } catch let error as DataError {
        throw DataError("/\(DatasetFormat.sourceOffsets): \(error)")
      }
    }
    return try StreamTable(
      readOffsets(DatasetFormat.offsets, of: file), sources: sources, lookahead: description.horizon)
  }

  private static func readOffsets(_ name: String, of file: File) throws -> StreamOffsets {
    let dataset = try file.dataset(name)
    try dataset.require(rank: 1)
    var offsets = StreamOffsets(capacity: dataset.count)
    for first in stride(from: 0, to: dataset.count, by: StoredTrack.blockSize) {
      let rows = first..<min(first + StoredTrack.blockSize, dataset.count)
      try dataset.readArray(of: Int.self, rows: rows).withUnsafeBufferPointer { try offsets.append($0) }
    }
    return offsets
  }

  private static func openTracks(
    of description: DataDescription, _ file: File, version: Int, _ streams: StreamTable
  ) throws -> [StoredTrack] {
    let first = try file.dataset(
      version == 1 ? DatasetFormat.values : "\(TrackRole.input)/\(TrackFormat.values)")
    guard streams.tokens == 0..<first.rowCount else {
      throw DataError(
        "/offsets goes from \(streams.tokens.lowerBound) to \(streams.tokens.upperBound), expected 0 to "
          + "\(first.rowCount), the number of values")
    }
    if version == 1 {
      return [
        try StoredTrack(.track(.input), description.input, first, name: "token", rows: first.rowCount)
      ]
    }
    var tracks = try TrackRole.allCases.compactMap { role -> StoredTrack? in
      guard let track = description.stored[role] else { return nil }
      return try StoredTrack(
        .track(role), track, file.dataset("\(role.name)/\(TrackFormat.values)"), name: role.name,
        rows: role == .initial ? streams.count : first.rowCount)
    }
    if try file.exists(DatasetFormat.weights) {
      tracks.append(
        try StoredTrack(
          .weights, nil, file.dataset(DatasetFormat.weights), name: DatasetFormat.weights,
          rows: first.rowCount))
    }
    if let source = description.source {
      tracks.append(
        try StoredTrack(
          .source, source, file.dataset("\(DatasetFormat.source)/\(TrackFormat.values)"),
          name: DatasetFormat.source, rows: streams.sources(of: 0..<streams.count).count))
    }
    return tracks
  }

  private static func openAlignment(
    of description: DataDescription, _ file: File, _ streams: StreamTable
  ) throws -> Dataset? {
    guard description.source != nil, try file.exists(DatasetFormat.alignment) else { return nil }
    let alignment = try file.dataset(DatasetFormat.alignment)
    try alignment.require(shape: [streams.tokens.upperBound])
    return alignment
  }

  private static func readSplits(
    from file: File, streams: StreamTable, position: String
  ) throws -> [DatasetSplit] {
    let group = try file.group(DatasetFormat.splits)
    let splits = try group.childNames().map { name in
      let dataset = try group.dataset(name)
      try dataset.require(shape: [2])
      let ends = try dataset.readArray(of: Int.self)
      guard ends[0] >= 0, ends[0] < ends[1], ends[1] <= streams.tokens.upperBound else {
        throw DataError(
          "split \(name) goes from \(position) \(ends[0]) to \(position) \(ends[1]) of \(streams.tokens.upperBound); it must not be "
            + "empty, nor reach beyond the end"
        )
      }
      let table = streams.cut(to: ends[0]..<ends[1])
      guard table.pairs > 0 else {
        throw DataError(
          "split \(name) has no stream of \(Wording.counted(streams.lookahead + 1, position)) or more")
      }
      try table.requireWholePairs(split: name)
      func loss(_ names: String...) throws -> Double? {
        try names.first { try dataset.attributes.contains($0) }.map(dataset.attributes.number)
      }
      return DatasetSplit(
        name: name, streams: table, floor: try loss(DatasetFormat.optimum, DatasetFormat.floor),
        trivial: try loss(DatasetFormat.trivial))
    }.sorted { $0.streams.tokens.lowerBound < $1.streams.tokens.lowerBound }
    guard !splits.isEmpty else { throw DataError("there are no splits") }
    for (left, right) in zip(splits, splits.dropFirst())
    where left.streams.tokens.overlaps(right.streams.tokens) {
      throw DataError("the splits \(left.name) and \(right.name) overlap")
    }
    return splits
  }
}

extension TrackRows {
  /// Calls `body` with the values of the first rows, as int32 or float32, block by block.
  fileprivate func forEachBlock(rows: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
    if type == .int32 || type == .float32 {
      return body(UnsafeRawBufferPointer(start: base, count: rows * width * type.size))
    }
    let block = UnsafeMutableBufferPointer<Int32>.allocate(capacity: StoredTrack.blockSize)
    defer { block.deallocate() }
    for first in stride(from: 0, to: rows, by: block.count) {
      let range = first..<min(first + block.count, rows)
      let part = UnsafeMutableBufferPointer(rebasing: block[..<range.count])
      copy(tokens: range, to: part)
      body(UnsafeRawBufferPointer(part))
    }
  }
}

extension DatasetOrigin {
  fileprivate init(from file: File) throws {
    guard try file.exists(DatasetFormat.origin) else {
      self.init(command: nil)
      return
    }
    let attributes = try file.group(DatasetFormat.origin).attributes
    let command = try attributes.contains("command") ? attributes.string("command") : nil
    guard try file.exists(DatasetFormat.originFiles) else {
      self.init(command: command)
      return
    }
    let names = try file.dataset(DatasetFormat.originFiles).readStrings()
    let sizes = try file.dataset(DatasetFormat.originSizes).readArray(of: Int.self)
    self.init(command: command, files: zip(names, sizes).map { ($0, $1) })
  }
}
