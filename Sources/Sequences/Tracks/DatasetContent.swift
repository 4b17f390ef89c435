import Chunks
import FileSystem
import HDF5
import Preconditions

/// The values of a track in memory.
package enum TrackValues: Sendable {
  /// A number of the vocabulary a position.
  case tokens([Int32])
  /// The columns of one position after those of another, in the data's units.
  case frames([Float])

  var count: Int {
    switch self {
    case .tokens(let values): values.count
    case .frames(let values): values.count
    }
  }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    switch self {
    case .tokens(let values): try values.withUnsafeBytes(body)
    case .frames(let values): try values.withUnsafeBytes(body)
    }
  }
}

/// All of a dataset in memory, to be written: what importers and synthetic tasks make.
///
/// Weights stand where the targets stand: those of position i say how much the target that is stored at i counts,
/// wherever the input lies that predicts it.
package struct DatasetContent: Sendable {
  /// What the data are.
  package var description: DataDescription
  /// The first position of each stream, and the end of the last.
  package var offsets: [Int]
  /// The parts for training, validation and test.
  package var splits: [DatasetWriter.Split]
  /// The values of each track of the description: a row a position, of `initial` a row a stream.
  package var values: [TrackRole: TrackValues]
  /// How much the target at each position counts; nil for 1 everywhere. Together with weights of units their product
  /// counts.
  package var positionWeights: [Float]?
  /// Of pairs, the first position of each stream's source and the end of the last, and their values.
  package var source: (offsets: [Int], values: TrackValues)?
  /// Of pairs, from which position of its source each position follows, as far as that is known; -1 for none. It is for
  /// those who look at what models attend to, and no part of chunks.
  package var alignment: [Int32]?
  /// Where it comes from.
  package var origin: DatasetOrigin

  /// A dataset of these streams.
  package init(
    _ description: DataDescription, offsets: [Int], splits: [DatasetWriter.Split],
    values: [TrackRole: TrackValues], positionWeights: [Float]? = nil,
    source: (offsets: [Int], values: TrackValues)? = nil, alignment: [Int32]? = nil, origin: DatasetOrigin
  ) {
    self.description = description
    self.offsets = offsets
    self.splits = splits
    self.values = values
    self.positionWeights = positionWeights
    self.source = source
    self.alignment = alignment
    self.origin = origin
  }

  /// The streams between its offsets.
  ///
  /// - Throws: `DataError` where they don't ascend, or sources are not as many.
  package var streams: StreamTable {
    get throws { try StreamTable(offsets: offsets, sources: source?.offsets, lookahead: description.horizon) }
  }

  /// Makes the dataset `path`, whole or not at all.
  ///
  /// - Throws: `DataError` where the parts don't fit each other, a number is outside its vocabulary, a value is not
  ///   finite, or a split would have no targets; `FileError` or `HDF5Error` where something of that name exists or
  ///   can't be written.
  package func write(to path: String) throws {
    try check(streams)
    try File.createAtomically(path, existing: .refuse) { try write(to: $0) }
  }

  private func check(_ streams: StreamTable) throws {
    guard streams.tokens.lowerBound == 0 else {
      throw DataError("the first stream begins at position \(streams.tokens.lowerBound), expected 0")
    }
    for role in TrackRole.allCases {
      let rows = role == .initial ? streams.count : streams.tokens.count
      try Self.check(values[role], description.stored[role], role.name, rows: rows)
    }
    try description.source?.requireGrid(of: streams)
    let positions = streams.arePairs ? streams.sources(of: 0..<streams.count).count : 0
    try Self.check(source?.values, description.source, DatasetFormat.source, rows: positions)
    if let positionWeights {
      guard positionWeights.count == streams.tokens.count else {
        throw DataError(
          "there are \(positionWeights.count) weights, expected \(streams.tokens.count), one a position")
      }
      try positionWeights.withUnsafeBufferPointer { try checkWeights($0, first: 0, width: 1) }
    }
    for split in splits {
      guard split.range.lowerBound >= 0, split.range.upperBound <= streams.tokens.upperBound else {
        throw DataError(
          "split \(split.name) \(split.range) reaches beyond the \(streams.tokens.count) positions")
      }
    }
    try DatasetFormat.requireTargets(of: splits, streams)
  }

  private static func check(
    _ values: TrackValues?, _ track: TrackDescription?, _ name: String, rows: Int
  ) throws {
    guard let track else {
      guard values == nil else {
        throw DataError("there are values of a track \(name) that the description does not have")
      }
      return
    }
    guard let values else { throw DataError("there are no values of the track \(name)") }
    guard values.count == rows * track.width else {
      throw DataError(
        "the track \(name) has \(values.count) values, expected \(rows * track.width): \(rows) rows of \(track.width)"
      )
    }
    try track.check(values, name)
  }

  private func write(to file: File) throws {
    var fingerprint = TrackFingerprint(horizon: description.horizon)
    try description.write(to: file)
    for role in TrackRole.allCases {
      guard let track = description.stored[role], let values = values[role] else { continue }
      fingerprint.begin(role.name, track, count: values.count)
      values.withUnsafeBytes { fingerprint.update($0) }
      try write(values, track, to: file.group(role.name)).attributes.describe(
        role == .initial
          ? "Row s is that of stream s"
          : "Stream s has the rows from offsets[s] up to, not including, "
            + "offsets[s + 1]")
    }
    if let positionWeights {
      fingerprint.beginWeights(count: positionWeights.count)
      positionWeights.withUnsafeBytes { fingerprint.update($0) }
      try file.write(DatasetFormat.weights, positionWeights, compressed: true).attributes.describe(
        "How much the target at each position counts in the loss")
    }
    if let source, let track = description.source {
      fingerprint.begin(DatasetFormat.source, track, count: source.values.count)
      source.values.withUnsafeBytes { fingerprint.update($0) }
      fingerprint.update(sourceOffsets: source.offsets)
      try write(source.values, track, to: file.group(DatasetFormat.source)).attributes.describe(
        "The source of stream s has the rows from offsets[s] up to, not including, offsets[s + 1]")
      try file.write(DatasetFormat.sourceOffsets, source.offsets).attributes.describe(
        "The source of stream s lies from offsets[s] up to, not including, offsets[s + 1]", units: "position")
    }
    if let alignment {
      try file.write(DatasetFormat.alignment, alignment).attributes.describe(
        "From which position of its source, from 0, each position follows; -1 where from none")
    }
    try file.write(DatasetFormat.offsets, offsets).attributes.describe(
      "Stream s holds the positions from offsets[s] up to, not including, offsets[s + 1]", units: "position")
    try DatasetFormat.write(splits, to: file, position: "position") { split, attributes in
      let losses = [
        (
          DatasetFormat.optimum, split.floor, "The loss a target that no model can be below, except by chance"
        ),
        (
          DatasetFormat.trivial, split.trivial,
          "The loss a target of the best prediction that ignores the input"
        ),
      ]
      for (name, value, meaning) in losses + split.bounds.map({ ($0.name, $1, $0.meaning) }) {
        guard let value else { continue }
        try attributes.set(name, value)
        try attributes.set("\(name)_description", meaning)
      }
    }
    try origin.write(to: file)
    try file.attributes.describe(
      "Streams of positions, for sequence models; a group for each track: input, target (without one the input, horizon "
        + "positions ahead), weight (of each column of the target), initial (a row a stream); of pairs source, with offsets of "
        + "its own")
    try DatasetFormat.seal(
      file, version: 2,
      fingerprint: fingerprint.digest(offsets: offsets, splits: splits.map { ($0.name, $0.range) }))
  }

  /// Writes a track's values: tokens in the smallest type for the vocabulary.
  private func write(_ values: TrackValues, _ track: TrackDescription, to group: Group) throws -> Dataset {
    switch values {
    case .frames(let frames):
      return try group.write(TrackFormat.values, frames, shape: [frames.count / track.width, track.width])
    case .tokens(let tokens):
      guard case .tokens(let vocabulary) = track else { preconditionFailure("checked before") }
      switch MemoryType(vocabulary: vocabulary.count) {
      case .uint8: return try group.write(TrackFormat.values, tokens.map { UInt8($0) })
      case .uint16: return try group.write(TrackFormat.values, tokens.map { UInt16($0) })
      case .int32, .float32: return try group.write(TrackFormat.values, tokens)
      }
    }
  }
}

extension TrackDescription {
  fileprivate func check(_ values: TrackValues, _ name: String) throws {
    switch (self, values) {
    case (.tokens(let vocabulary), .tokens(let tokens)):
      try tokens.withUnsafeBufferPointer { try checkTokens($0, first: 0, vocabulary, name) }
    case (.frames(let columns), .frames(let frames)):
      try frames.withUnsafeBufferPointer {
        if name == TrackRole.weight.name {
          try checkWeights($0, first: 0, width: columns.width)
        } else {
          try checkFrames($0, first: 0, columns, name)
        }
      }
    default: throw DataError("the track \(name) is described as \(text), but has other values")
    }
  }
}
