import CSupport
import Chunks

/// What one array of a chunk is filled with: rows of a stored track, so many positions ahead.
struct ChunkPart: Sendable {
  /// What a chunk calls it.
  enum Place: Sendable {
    case track(TrackRole)
    case weights
  }

  let place: Place
  /// The number of the track among the dataset's.
  let track: Int
  /// How many positions ahead of the chunk's they lie.
  let shift: Int
  /// Whether the track has a row a stream.
  let isPerStream: Bool
  /// How frames are normalised; nil where they stay as they are.
  private let columns: FrameColumns?

  /// The parts of chunks of a dataset, besides those of their sources.
  static func all(of dataset: SequenceDataset) -> [ChunkPart] {
    let data = dataset.description
    return dataset.stored.enumerated().flatMap { number, stored -> [ChunkPart] in
      switch stored.place {
      case .source: return []
      case .weights: return [ChunkPart(.weights, number, shift: data.horizon)]
      case .track(.input):
        let input = ChunkPart(.track(.input), number, shift: 0, data.input)
        let isTarget = data.stored[.target] == nil
        return isTarget
          ? [input, ChunkPart(.track(.target), number, shift: data.horizon, data.input)] : [input]
      case .track(.initial):
        return [ChunkPart(.track(.initial), number, shift: 0, data.stored[.initial], isPerStream: true)]
      case .track(let role): return [ChunkPart(.track(role), number, shift: data.horizon, data.stored[role])]
      }
    }
  }

  /// The parts of the chunks' sources: what is read of them, where streams are pairs.
  static func ofSource(of dataset: SequenceDataset) -> [ChunkPart] {
    dataset.stored.indices.filter { dataset.stored[$0].place == .source }.map {
      ChunkPart(.track(.input), $0, shift: 0, dataset.description.source)
    }
  }

  private init(
    _ place: Place, _ track: Int, shift: Int, _ description: TrackDescription? = nil,
    isPerStream: Bool = false
  ) {
    self.place = place
    self.track = track
    self.shift = shift
    self.isPerStream = isPerStream
    if case .frames(let columns) = description, columns.isNormalized {
      self.columns = columns
    } else {
      columns = nil
    }
  }

  /// Writes its array of a chunk, which has begun, from the track's rows.
  ///
  /// - Parameter firstRow: The row of the first position of a piece, by its number among `pieces`.
  @inline(__always)
  func write(
    _ pieces: ArraySlice<PlacedPiece>, to chunk: Chunk, from rows: TrackRows, firstRow: (Int) -> Int
  ) {
    switch (place, rows.type) {
    case (.track(let role), .uint8): write(pieces, to: chunk, role, rows, of: UInt8.self, firstRow)
    case (.track(let role), .uint16): write(pieces, to: chunk, role, rows, of: UInt16.self, firstRow)
    case (.track(let role), .int32): write(pieces, to: chunk, role, rows, of: Int32.self, firstRow)
    case (.track(let role), .float32): writeFrames(pieces, to: chunk.frames(role), chunk, rows, firstRow)
    case (.weights, _): writeWeights(pieces, to: chunk, rows, firstRow)
    }
  }

  /// The steps of a piece that it fills.
  private func steps(of piece: Piece) -> Range<Int> {
    guard isPerStream else { return piece.steps }
    return piece.steps.lowerBound..<piece.steps.lowerBound + (piece.resets ? 1 : 0)
  }

  @inline(__always)
  private func write<T: FixedWidthInteger>(
    _ pieces: ArraySlice<PlacedPiece>, to chunk: Chunk, _ role: TrackRole, _ rows: TrackRows, of _: T.Type,
    _ firstRow: (Int) -> Int
  ) {
    let tokens = chunk.tokens(role)
    let base = rows.base.assumingMemoryBound(to: T.self)
    let lanes = chunk.lanes
    for (number, placed) in zip(pieces.indices, pieces) {
      // Short pieces lie anywhere: the first tokens of those that follow are fetched meanwhile.
      if number + 16 < pieces.endIndex { st_prefetch(base + firstRow(number + 16)) }
      let steps = steps(of: placed.piece)
      var place = steps.lowerBound * lanes + placed.row
      let first = base + firstRow(number)
      for step in 0..<steps.count {
        tokens[place] = Int32(truncatingIfNeeded: first[step])
        place += lanes
      }
    }
  }

  private func writeFrames(
    _ pieces: ArraySlice<PlacedPiece>, to frames: Matrix, _ chunk: Chunk, _ rows: TrackRows,
    _ firstRow: (Int) -> Int
  ) {
    let base = rows.base.assumingMemoryBound(to: Float.self)
    for (number, placed) in zip(pieces.indices, pieces) {
      var row = base + firstRow(number) * rows.width
      for step in steps(of: placed.piece) {
        let frame = frames[step * chunk.lanes + placed.row]
        if let columns {
          for column in 0..<rows.width { frame[column] = columns.normalized(row[column], column: column) }
        } else {
          frame.update(from: row, count: rows.width)
        }
        row += rows.width
      }
    }
  }

  private func writeWeights(
    _ pieces: ArraySlice<PlacedPiece>, to chunk: Chunk, _ rows: TrackRows, _ firstRow: (Int) -> Int
  ) {
    let base = rows.base.assumingMemoryBound(to: Float.self)
    for (number, placed) in zip(pieces.indices, pieces) where placed.piece.counts {
      var row = base + firstRow(number)
      for step in placed.piece.steps {
        chunk.weights[step * chunk.lanes + placed.row] = row.pointee
        row += 1
      }
    }
  }
}
