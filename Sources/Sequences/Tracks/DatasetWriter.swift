import HDF5

/// Writes a dataset file token by token, in memory that does not grow with the tokens.
package final class DatasetWriter {
  private let dataset: Dataset
  private let type: MemoryType
  private let vocabulary: Vocabulary
  private var fingerprint = Fingerprint()
  private var offsets = [0]
  private var pending: [Int32] = []
  private var written = 0

  /// A split to be written: where it lies on the axis of positions, and which losses are known.
  package struct Split: Sendable {
    /// `train`, `validation` or `test`.
    package let name: String
    /// The positions from its first to its end.
    package let range: Range<Int>
    /// See `DatasetSplit`.
    package let floor: Double?
    /// See `DatasetSplit`.
    package let trivial: Double?
    /// What else is known, for those who look at the file.
    package let bounds: [(bound: StatedBound, value: Double)]

    /// A split of this name and range.
    package init(
      name: String, range: Range<Int>, floor: Double? = nil, trivial: Double? = nil,
      bounds: [(bound: StatedBound, value: Double)] = []
    ) {
      self.name = name
      self.range = range
      self.floor = floor
      self.trivial = trivial
      self.bounds = bounds
    }
  }

  /// Makes the dataset `path`, whole or not at all.
  ///
  /// - Parameter content: appends all tokens, and returns the splits once their number is known.
  /// - Throws: what `content` throws, `HDF5Error` where something of that name exists or cannot be written, and
  ///   `DataError` where a split would be empty.
  package static func create(
    _ path: String, vocabulary: Vocabulary, origin: DatasetOrigin, content: (DatasetWriter) throws -> [Split]
  ) throws {
    try File.createAtomically(path, existing: .refuse) { file in
      let writer = try DatasetWriter(file, vocabulary: vocabulary)
      try writer.finish(file, splits: content(writer), origin: origin)
    }
  }

  private init(_ file: File, vocabulary: Vocabulary) throws {
    self.vocabulary = vocabulary
    // Not compressed: text is one byte a character as it is, and short streams are read from all over the file, for
    // each of which a whole chunk would have to be inflated.
    func create<T: Storable>(_: T.Type) throws -> Dataset {
      try file.createDataset(DatasetFormat.values, of: T.self, shape: [0], growing: true)
    }
    type = MemoryType(vocabulary: vocabulary.count)
    dataset =
      switch type {
      case .uint8: try create(UInt8.self)
      case .uint16: try create(UInt16.self)
      case .int32, .float32: try create(Int32.self)
      }
    pending.reserveCapacity(Self.blockSize)
  }

  private static let blockSize = 1 << 18

  /// The number of tokens so far.
  package var tokenCount: Int { written + pending.count }

  /// The first tokens of the streams so far, and the end of the last that was ended.
  package var streamOffsets: [Int] { offsets }

  /// Adds a token to the current stream.
  package func append(_ token: Int32) throws {
    pending.append(token)
    if pending.count == Self.blockSize { try flush() }
  }

  /// Ends the current stream at token `end`, by default behind the last. Nothing happens where that leaves it empty.
  package func endStream(at end: Int? = nil) {
    let end = end ?? tokenCount
    if let last = offsets.last, end > last { offsets.append(end) }
  }

  private func flush() throws {
    switch type {
    case .uint8: try write(pending.map { UInt8($0) })
    case .uint16: try write(pending.map { UInt16($0) })
    case .int32, .float32: try write(pending)
    }
    written += pending.count
    pending.removeAll(keepingCapacity: true)
  }

  private func write<T: Storable & FixedWidthInteger>(_ block: [T]) throws {
    try dataset.append(block)
    block.withUnsafeBufferPointer { fingerprint.update($0) }
  }

  private func finish(_ file: File, splits: [Split], origin: DatasetOrigin) throws {
    try flush()
    endStream()
    try DatasetFormat.requireTargets(of: splits, StreamTable(offsets: offsets))
    try dataset.attributes.describe(
      "The tokens of all streams, one stream after another; token i is spelt vocabulary[i]", units: "token")
    try file.write(DatasetFormat.offsets, offsets).attributes.describe(
      "Stream s holds values[offsets[s]] up to, not including, values[offsets[s + 1]]", units: "token")
    try DatasetFormat.write(splits, to: file, position: "token") { split, attributes in
      guard let floor = split.floor else { return }
      try attributes.set(DatasetFormat.floor, floor)
      try attributes.set(
        "\(DatasetFormat.floor)_description",
        "Nats a target: minus the mean log-probability with which the generator chose this text")
    }
    try vocabulary.write(to: file, path: DatasetFormat.vocabulary)
    try origin.write(to: file)
    try file.attributes.describe(
      "Text as streams of tokens, for sequence models. A stream of n tokens gives n - 1 inputs, each with the token "
        + "that follows as its target")
    try DatasetFormat.seal(
      file, version: 1,
      fingerprint: fingerprint.digest(
        type: dataset.elementType, offsets: offsets, splits: splits.map { ($0.name, $0.range) },
        vocabulary: vocabulary))
  }
}

extension DatasetFormat {
  /// Throws where a split would have no targets.
  static func requireTargets(of splits: [DatasetWriter.Split], _ streams: StreamTable) throws {
    for split in splits {
      guard !split.range.isEmpty, streams.cut(to: split.range).pairs > 0 else {
        throw DataError("split \(split.name) would have no targets; give it a larger part, or more data")
      }
      try streams.cut(to: split.range).requireWholePairs(split: split.name)
    }
  }

  /// Writes where the splits lie, with what `describe` says of each besides.
  static func write(
    _ splits: [DatasetWriter.Split], to file: File, position: String,
    describe: (DatasetWriter.Split, Attributes) throws -> Void
  ) throws {
    try file.createGroup(self.splits).attributes.describe(
      "The parts for training, validation and test; streams that cross an end of a part are cut there")
    for split in splits {
      let ends = try file.write(
        "\(self.splits)/\(split.name)", [split.range.lowerBound, split.range.upperBound])
      try ends.attributes.describe(
        "The first \(position) of the part, and the first behind it", units: position)
      try describe(split, ends.attributes)
    }
  }
}

extension DatasetOrigin {
  func write(to file: File) throws {
    let group = try file.createGroup(DatasetFormat.origin)
    try group.attributes.describe("Where the content comes from")
    if let command { try group.attributes.set("command", command) }
    guard !files.isEmpty else { return }
    try file.write(DatasetFormat.originFiles, strings: files.map(\.name))
      .attributes.describe("The files, in their order, as they were named")
    try file.write(DatasetFormat.originSizes, files.map(\.bytes))
      .attributes.describe("The size of each file", units: "byte")
  }
}
