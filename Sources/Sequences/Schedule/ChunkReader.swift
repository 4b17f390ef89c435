import Chunks
import Preconditions

/// Fills chunk after chunk, through epoch after epoch, with what a schedule says for some of its lanes.
///
/// Values come from memory where the dataset is held there; otherwise the pieces of many chunks are taken together, and
/// read in the order in which they lie in the file.
final class ChunkReader {
  let tracks: TrackSet
  private let lanes: Range<Int>
  private let streams: StreamTable
  private let parts: [ChunkPart]
  private let held: [TrackRows]?
  private let file: PieceReader?
  private var walk: ScheduleWalk
  private var batch: PieceBatch
  private var next = 0
  private var readsAhead = true

  /// - Throws: `DataError` where the epoch has not that many chunks.
  init(_ dataset: SequenceDataset, _ schedule: Schedule, lanes: Range<Int>, epoch: Int, chunk: Int) throws {
    do {
      walk = try schedule.walk(lanes: lanes, epoch: epoch, chunk: chunk)
    } catch let error as DataError { throw DataError("\(error)", path: dataset.path) }
    self.lanes = lanes
    streams = schedule.streams
    batch = PieceBatch(lookahead: streams.lookahead)
    tracks = dataset.tracks
    parts = ChunkPart.all(of: dataset)
    held = dataset.held
    file =
      held == nil
      ? PieceReader(dataset, parts, streams: streams, largestChunk: lanes.count * schedule.chunk) : nil
  }

  /// Fills `buffer` with the next chunk. Which chunk it is, and where its lanes stand, is right whatever fails.
  ///
  /// - Throws: `HDF5Error` or `DataError` where values cannot be read.
  func fill(_ buffer: Chunk) throws {
    let isNew = next == batch.chunks.count
    if isNew { takePieces() }
    let chunk = batch.chunks[next]
    next += 1
    let pieces = batch.pieces[chunk.pieces]
    buffer.begin(epoch: chunk.epoch, index: chunk.index, steps: chunk.steps, pieces)
    if let held {
      for part in parts {
        part.write(pieces, to: buffer, from: held[part.track]) { number in
          let piece = pieces[number].piece
          return part.isPerStream ? streams.number(of: piece.stream) : piece.start + part.shift
        }
      }
    } else if let file {
      // Where something cannot be read, each chunk is read when it is its turn: those before the damage are still good.
      if isNew { readsAhead = (try? file.read(batch.pieces[...])) != nil }
      if !readsAhead { try file.read(pieces) }
      file.write(pieces, to: buffer)
    }
  }

  /// The pieces of the next chunk, or of as many as are read from the file together.
  private func takePieces() {
    batch.clear()
    next = 0
    repeat { batch.append(from: &walk, lanes: lanes) } while file?.hasRoom(for: batch) ?? false
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
  private(set) var chunks: [(epoch: Int, index: Int, steps: Int, pieces: Range<Int>)] = []
  /// The rows that all pieces take of a track from which inputs and targets come.
  private(set) var rowCount = 0
  private let lookahead: Int

  init(lookahead: Int) { self.lookahead = lookahead }

  mutating func clear() {
    pieces.removeAll(keepingCapacity: true)
    chunks.removeAll(keepingCapacity: true)
    rowCount = 0
  }

  mutating func append(from walk: inout ScheduleWalk, lanes: Range<Int>) {
    let first = pieces.count
    let (epoch, index, steps) = walk.next { lane, piece in
      pieces.append(PlacedPiece(row: lane - lanes.lowerBound, piece: piece))
      rowCount += piece.steps.count + lookahead
    }
    chunks.append((epoch, index, steps, first..<pieces.count))
  }
}
