import Chunks
import Preconditions

/// Fills chunk after chunk, through epoch after epoch, with what a schedule says for some tiles of its lanes.
///
/// Values come from memory where the dataset is held there; otherwise the pieces of many chunks are taken together, and
/// read in the order in which they lie in the file.
final class ChunkReader {
  let tracks: TrackSet
  private let tiles: [Tile]
  private let ofStreams: PartReader
  /// What reads the sources of pairs.
  private let ofSources: PartReader?
  private var walk: ScheduleWalk
  private var batch: PieceBatch
  private var next = 0

  /// - Throws: `DataError` where the epoch has not that many chunks.
  init(_ dataset: SequenceDataset, _ schedule: Schedule, tiles: [Tile], epoch: Int, chunk: Int) throws {
    let lanes = tiles.lanes
    do {
      walk = try schedule.walk(lanes: lanes, epoch: epoch, chunk: chunk)
    } catch let error as DataError { throw DataError("\(error)", path: dataset.path) }
    self.tiles = tiles
    let (streams, columns) = (schedule.streams, tiles.columnCount)
    batch = PieceBatch(streams, tiles)
    tracks = dataset.tracks
    ofStreams = PartReader(
      dataset, ChunkPart.all(of: dataset), streams, largestChunk: columns * tiles[0].steps.count)
    ofSources =
      streams.arePairs
      ? PartReader(
        dataset, ChunkPart.ofSource(of: dataset), streams, largestChunk: columns * schedule.sourceSteps)
      : nil
  }

  /// Fills `buffer` with the next chunk. Which chunk it is, and where its lanes stand, is right whatever fails.
  ///
  /// - Throws: `HDF5Error` or `DataError` where values cannot be read.
  func fill(_ buffer: Chunk) throws {
    let isNew = next == batch.chunks.count
    if isNew { takePieces() }
    let chunk = batch.chunks[next]
    next += 1
    buffer.begin(
      epoch: chunk.epoch, index: chunk.index, steps: chunk.steps, batch.pieces[chunk.pieces])
    buffer.source?.begin(
      epoch: chunk.epoch, index: chunk.index, steps: chunk.sourceSteps, batch.sources[chunk.pieces])
    try ofStreams.fill(buffer, from: batch.pieces, chunk.pieces, isNew: isNew)
    guard let source = buffer.source, let ofSources else { return }
    try ofSources.fill(source, from: batch.sources, chunk.pieces, isNew: isNew)
  }

  /// The pieces of the next chunk, or of as many as are read from the file together.
  private func takePieces() {
    batch.clear()
    next = 0
    repeat { batch.append(from: &walk) } while ofStreams.hasRoom(for: batch)
  }
}

/// Writes the parts of chunks that lie on one axis of positions: that of streams, or that of the sources of pairs.
private final class PartReader {
  private let parts: [ChunkPart]
  private let streams: StreamTable
  private let held: [TrackRows]?
  private let file: PieceReader?
  private var readsAhead = true

  init(_ dataset: SequenceDataset, _ parts: [ChunkPart], _ streams: StreamTable, largestChunk: Int) {
    self.parts = parts
    self.streams = streams
    held = dataset.held
    file = held == nil ? PieceReader(dataset, parts, streams: streams, largestChunk: largestChunk) : nil
  }

  /// Whether the pieces of one chunk more are read with these.
  func hasRoom(for batch: PieceBatch) -> Bool { file?.hasRoom(for: batch) ?? false }

  /// Writes the pieces of a chunk, which has begun: some of those that are read together.
  ///
  /// - Parameter isNew: Whether `all` are others than before.
  /// - Throws: `HDF5Error` or `DataError` where values cannot be read.
  func fill(_ chunk: Chunk, from all: [PlacedPiece], _ range: Range<Int>, isNew: Bool) throws {
    let pieces = all[range]
    if let held {
      for part in parts {
        part.write(pieces, to: chunk, from: held[part.track]) { number in
          let piece = pieces[number].piece
          return part.isPerStream ? streams.number(of: piece.stream) : piece.start + part.shift
        }
      }
    } else if let file {
      // Where something cannot be read, each chunk is read when it is its turn: those before the damage are still good.
      if isNew { readsAhead = (try? file.read(all[...])) != nil }
      if !readsAhead { try file.read(pieces) }
      file.write(pieces, to: chunk)
    }
  }
}

/// A piece in the row of a buffer.
struct PlacedPiece {
  let row: Int
  let piece: Piece
}

/// The pieces of successive chunks, in the order in which a walk finds them.
struct PieceBatch {
  private(set) var pieces: [PlacedPiece] = []
  /// Of pairs, the source of each piece, whole.
  private(set) var sources: [PlacedPiece] = []
  private(set) var chunks: [(epoch: Int, index: Int, steps: Int, sourceSteps: Int, pieces: Range<Int>)] = []
  /// The rows that all pieces take of a track from which inputs and targets come, and those of all sources.
  private var rowCounts = (ofStreams: 0, ofSources: 0)
  private let streams: StreamTable
  private let tiles: [Tile]
  private let firstLane: Int
  /// The tiles of each lane.
  private let tilesOfLane: [Range<Int>]

  init(_ streams: StreamTable, _ tiles: [Tile]) {
    (self.streams, self.tiles, firstLane) = (streams, tiles, tiles.lanes.lowerBound)
    tilesOfLane = tiles.lanes.map { lane in
      let own = tiles.indices.filter { tiles[$0].lanes.contains(lane) }
      return own[0]..<own[0] + own.count
    }
  }

  /// The most rows that all pieces take of any track.
  var rowCount: Int { max(rowCounts.ofStreams, rowCounts.ofSources) }

  mutating func clear() {
    pieces.removeAll(keepingCapacity: true)
    sources.removeAll(keepingCapacity: true)
    chunks.removeAll(keepingCapacity: true)
    rowCounts = (0, 0)
  }

  mutating func append(from walk: inout ScheduleWalk) {
    let first = pieces.count
    let (epoch, index, steps, sourceSteps) = walk.next { lane, piece in
      for tile in tiles[tilesOfLane[lane - firstLane]] {
        if let part = piece.part(in: tile.steps) {
          append(part, row: tile.columns.lowerBound + lane - tile.lanes.lowerBound)
        }
      }
    }
    chunks.append((epoch, index, min(steps, tiles[0].steps.count), sourceSteps, first..<pieces.count))
  }

  private mutating func append(_ piece: Piece, row: Int) {
    pieces.append(PlacedPiece(row: row, piece: piece))
    rowCounts.ofStreams += piece.steps.count + streams.lookahead
    guard streams.arePairs else { return }
    let source = streams.source(of: piece.stream)
    sources.append(
      PlacedPiece(
        row: row,
        piece: Piece(
          steps: 0..<source.count, stream: piece.stream, offset: 0, start: source.lowerBound, resets: true)))
    rowCounts.ofSources += source.count
  }
}

extension [Tile] {
  /// The lanes of the run that they are of; consecutive ones.
  fileprivate var lanes: Range<Int> { self[0].lanes.lowerBound..<self[count - 1].lanes.upperBound }
}
