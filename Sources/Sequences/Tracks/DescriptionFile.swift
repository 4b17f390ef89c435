import Chunks
import HDF5

/// What stands where in the group of a track, and in the group above it.
enum TrackFormat {
  static let values = "values"
  static let vocabulary = "vocabulary"
  static let names = "names"
  static let units = "units"
  static let means = "means"
  static let scales = "scales"
  static let kind = "kind"
  static let binary = "binary"
  static let grid = "grid"
  static let horizon = "horizon"
}

extension TrackRole {
  /// The name of its group in files.
  package var name: String { "\(self)" }
}

extension DataDescription {
  /// Writes what the data are to a file's group: the attribute `horizon`, and a group for each track; of pairs one for
  /// their sources.
  package func write(to group: Group) throws {
    try group.attributes.set(TrackFormat.horizon, horizon)
    try group.attributes.set(
      "\(TrackFormat.horizon)_description", "How many positions ahead of its input a target lies")
    for role in TrackRole.allCases {
      guard let track = stored[role] else { continue }
      try track.write(to: group.createGroup(role.name), role.meaning)
    }
    try source?.write(
      to: group.createGroup(DatasetFormat.source), "What each stream is said of, on positions of its own")
  }

  /// Reads what `write` wrote, or other programs: what they leave out of a track of frames has defaults.
  ///
  /// - Throws: `HDF5Error` or `DataError` where something is missing or wrong.
  package init(from group: Group) throws {
    let roles = try TrackRole.allCases.filter { try group.exists($0.name) }
    let stored = try roles.map { ($0, try TrackDescription(from: group.group($0.name))) }
    let horizon =
      try group.attributes.contains(TrackFormat.horizon)
      ? group.attributes.integer(TrackFormat.horizon) : nil
    let source =
      try group.exists(DatasetFormat.source)
      ? TrackDescription(from: group.group(DatasetFormat.source)) : nil
    do { try self.init(Dictionary(uniqueKeysWithValues: stored), horizon: horizon, source: source) } catch {
      throw DataError("\(error)", path: group.filePath)
    }
  }
}

extension TrackDescription {
  /// Writes to the group of a track what it holds, and what it means.
  package func write(to group: Group, _ meaning: String) throws {
    switch self {
    case .tokens(let vocabulary):
      try group.attributes.describe("\(meaning); number i is spelt vocabulary[i]")
      try group.attributes.set(TrackFormat.kind, "tokens")
      try vocabulary.write(to: group, path: TrackFormat.vocabulary)
    case .frames(let columns):
      try group.attributes.describe(
        "\(meaning), in the units of its columns; models read (values - means) / scales")
      try group.attributes.set(TrackFormat.kind, "frames")
      try group.attributes.set(TrackFormat.binary, columns.isBinary)
      if let grid = columns.grid { try group.write(TrackFormat.grid, [grid.rows, grid.columns]) }
      try group.write(TrackFormat.names, strings: columns.names)
      try group.write(TrackFormat.units, strings: columns.units)
      try group.write(TrackFormat.means, columns.means)
      try group.write(TrackFormat.scales, columns.scales)
    }
  }

  fileprivate init(from group: Group) throws {
    let attributes = group.attributes
    let values = try group.exists(TrackFormat.values) ? group.dataset(TrackFormat.values) : nil
    let kind: String
    if try attributes.contains(TrackFormat.kind) {
      kind = try attributes.string(TrackFormat.kind)
    } else if case .integer = values?.elementType {
      kind = "tokens"
    } else {
      kind = "frames"
    }
    switch kind {
    case "tokens": self = .tokens(try Vocabulary(from: group, path: TrackFormat.vocabulary))
    case "frames":
      let names =
        try group.exists(TrackFormat.names)
        ? group.dataset(TrackFormat.names).readStrings()
        : (0..<(values.map { $0.shape.count > 1 ? $0.rowSize : 1 } ?? 0)).map { "\($0)" }
      func floats(_ name: String) throws -> [Float]? {
        try group.exists(name) ? group.dataset(name).readArray() : nil
      }
      let grid = try group.exists(TrackFormat.grid) ? group.dataset(TrackFormat.grid) : nil
      try grid?.require(shape: [2])
      let sides = try grid?.readArray(of: Int.self)
      do {
        self = .frames(
          try FrameColumns(
            names,
            units: group.exists(TrackFormat.units) ? group.dataset(TrackFormat.units).readStrings() : nil,
            means: floats(TrackFormat.means), scales: floats(TrackFormat.scales),
            isBinary: attributes.contains(TrackFormat.binary) && attributes.flag(TrackFormat.binary),
            grid: sides.map { FrameGrid(rows: $0[0], columns: $0[1]) }))
      } catch let error as DataError { throw DataError("\(group.name): \(error)", path: group.filePath) }
    default:
      throw DataError(
        "\(group.name): the kind of the track is \(kind.debugDescription), expected tokens or frames",
        path: group.filePath)
    }
  }
}

extension TrackRole {
  /// What a track is to a model, for those who look at a file.
  fileprivate var meaning: String {
    switch self {
    case .input: "What a model reads at each position"
    case .target: "What a model should say at each position, of the position as far ahead as the horizon"
    case .weight: "How much each column of the target at a position counts"
    case .initial: "What each stream begins with, a row a stream"
    }
  }
}
