import Chunks

/// A track that is ready to be written.
struct PreparedTrack {
  let description: TrackDescription
  /// A row a position, or a stream.
  let values: TrackValues
  /// How much each value counts as a target; nil for 1 everywhere.
  var weights: [Float]?

  var width: Int { description.width }
}

extension PreparedTrack {
  /// The name of the column that says where a value of the column `name` is missing.
  static func flagName(of name: String) -> String { "\(name) missing" }

  /// A target of frames: what is missing has no weight.
  init(target table: NumberTable, _ normalization: Normalization) throws {
    self.init(
      description: .frames(
        try FrameColumns(table.names, means: normalization.means, scales: normalization.scales)),
      values: .frames(table.filled(normalization)),
      weights: table.hasMissing ? table.values.map { $0.isNaN ? 0 : 1 } : nil)
  }

  /// An input of frames in streams that lie between `offsets`; `missing` says what becomes of missing values. As a target
  /// they have no weight, nor have the flags that tell of them.
  init(
    input table: NumberTable, _ normalization: Normalization, _ missing: MissingInputs, offsets: [Int]
  ) throws {
    guard table.hasMissing else {
      try self.init(target: table, normalization)
      return
    }
    let rows = 0..<table.rowCount
    let values = (missing == .forward ? table.carriedForward(offsets) : table).filled(normalization)
    // The place of each column and, behind it, of its flag.
    let places = (0..<table.width).flatMap { column in
      missing == .mask && rows.contains { table.isMissing($0, column) }
        ? [(column, isFlag: false), (column, isFlag: true)] : [(column, isFlag: false)]
    }
    let columns = try FrameColumns(
      places.map { $1 ? Self.flagName(of: table.names[$0]) : table.names[$0] },
      means: places.map { $1 ? 0 : normalization.means[$0] },
      scales: places.map { $1 ? 1 : normalization.scales[$0] })
    let flagged: [Float] = rows.flatMap { row in
      places.lazy.map { column, isFlag in
        isFlag ? (table.isMissing(row, column) ? 1 : 0) : values[row * table.width + column]
      }
    }
    let weights: [Float] = rows.flatMap { row in
      places.lazy.map { column, isFlag in isFlag || table.isMissing(row, column) ? 0 : 1 }
    }
    self.init(description: .frames(columns), values: .frames(flagged), weights: weights)
  }
}

extension DatasetContent {
  /// Data of these tracks, without a target track where the input is the target.
  ///
  /// - Parameters:
  ///   - initial: A row a stream.
  ///   - weights: How much each position counts, or each unit of each, besides what is missing there.
  /// - Throws: `DataError` where the tracks don't fit each other, or in one split nothing has a weight.
  init(
    input: PreparedTrack, target: PreparedTrack?, initial: PreparedTrack? = nil, weights: [Float]? = nil,
    horizon: Int?, offsets: [Int], splits: [DatasetWriter.Split], origin: DatasetOrigin
  ) throws {
    var tracks: [TrackRole: PreparedTrack] = [.input: input]
    tracks[.target] = target
    tracks[.initial] = initial
    let (width, missing) = ((target ?? input).width, (target ?? input).weights)
    let count = offsets[offsets.count - 1]
    var positions = weights?.count == count ? weights : nil
    if let units = Self.product(positions == nil ? weights : nil, missing) {
      if let same = Self.rows(of: units, width: width) {
        positions = Self.product(positions, same)
      } else if case .frames(let columns) = (target ?? input).description {
        tracks[.weight] = PreparedTrack(
          description: .frames(try FrameColumns(columns.names)), values: .frames(units))
      }
    }
    self.init(
      try DataDescription(tracks.mapValues(\.description), horizon: horizon), offsets: offsets,
      splits: splits,
      values: tracks.mapValues(\.values), positionWeights: positions, origin: origin)
    try requireWeights()
  }

  private static func product(_ a: [Float]?, _ b: [Float]?) -> [Float]? {
    guard let a, let b else { return a ?? b }
    return zip(a, b).map(*)
  }

  /// The weight of each position where all its units weigh the same; nil where they don't.
  private static func rows(of units: [Float], width: Int) -> [Float]? {
    let rows = stride(from: 0, to: units.count, by: width)
    guard rows.allSatisfy({ row in units[row..<row + width].allSatisfy { $0 == units[row] } }) else {
      return nil
    }
    return rows.map { units[$0] }
  }

  private func requireWeights() throws {
    let width = description.target.width
    for split in splits {
      let isWeighted = split.range.contains { position in
        if let positionWeights, positionWeights[position] == 0 { return false }
        guard case .frames(let units) = values[.weight] else { return true }
        return units[position * width..<(position + 1) * width].contains { $0 > 0 }
      }
      guard isWeighted else {
        throw DataError(
          "no target in split \(split.name) counts: each is missing, or its weight is 0; give the split other data"
        )
      }
    }
  }
}
