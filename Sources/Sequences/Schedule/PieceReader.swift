import Chunks
import Preconditions

/// Reads what the parts of chunks need of a dataset's file for many pieces, in the order in which it lies there, so that
/// no part of the file is read twice.
final class PieceReader {
  private let tracks: [TrackReader]
  private let limit: Int
  private var order: [(start: Int, piece: Int)] = []

  /// The most pieces and values that are read together, unless one chunk has more.
  private static let pieceLimit = 1 << 18
  private static let valueLimit = 1 << 22

  /// The most rows of each track that are read together.
  private static func rowLimit(_ dataset: SequenceDataset) -> Int {
    valueLimit / dataset.stored.reduce(0) { $0 + $1.width }
  }

  /// The most rows of each track, where chunks have so many pairs: a piece has `lookahead` rows more than pairs.
  private static func capacity(_ dataset: SequenceDataset, largestChunk: Int) -> Int {
    rowLimit(dataset) + (1 + dataset.streams.lookahead) * largestChunk
  }

  /// The most bytes of values and of the places of pieces, for what `parts` read.
  static func byteCount(_ dataset: SequenceDataset, _ parts: [ChunkPart], largestChunk: Int) -> Int {
    let pieces = pieceLimit + largestChunk
    let capacity = capacity(dataset, largestChunk: largestChunk)
    return Set(parts.map(\.track)).reduce(pieces * MemoryLayout<(start: Int, piece: Int)>.stride) {
      $0 + TrackReader.byteCount(dataset.stored[$1], capacity: capacity, pieces: pieces)
    }
  }

  /// - Parameters:
  ///   - parts: What is written of the pieces; they lie on one axis of positions.
  ///   - streams: The streams of the split that pieces count from.
  ///   - largestChunk: The most positions in a chunk.
  init(_ dataset: SequenceDataset, _ parts: [ChunkPart], streams: StreamTable, largestChunk: Int) {
    let capacity = Self.capacity(dataset, largestChunk: largestChunk)
    limit = Self.rowLimit(dataset)
    tracks = Set(parts.map(\.track)).sorted().map { number in
      TrackReader(
        dataset.stored[number], parts.filter { $0.track == number }, streams: streams, capacity: capacity)
    }
  }

  /// Whether the pieces of one chunk more can be read with these.
  func hasRoom(for batch: PieceBatch) -> Bool {
    batch.pieces.count < Self.pieceLimit && batch.rowCount < limit
  }

  /// Reads what these pieces need, which are then written.
  ///
  /// - Throws: `HDF5Error` or `DataError` where it cannot be read.
  func read(_ pieces: ArraySlice<PlacedPiece>) throws {
    order.removeAll(keepingCapacity: true)
    for (number, placed) in zip(pieces.indices, pieces) { order.append((placed.piece.start, number)) }
    order.sort { $0.start < $1.start }
    for track in tracks { try track.read(pieces, order) }
  }

  /// Writes pieces that have been read to `chunk`.
  func write(_ pieces: ArraySlice<PlacedPiece>, to chunk: Chunk) {
    for track in tracks { track.write(pieces, to: chunk) }
  }
}

/// Reads the rows of one track that many pieces need.
private final class TrackReader {
  private let track: StoredTrack
  private let parts: [ChunkPart]
  private let streams: StreamTable
  /// The shifts of its parts, from the smallest to the largest.
  private let shifts: ClosedRange<Int>
  private let rowBytes: Int
  /// The rows of the pieces, one piece after another.
  private let rows: UnsafeMutableRawBufferPointer
  /// The first of them of each piece, and the number of the first piece.
  private var starts: [Int] = []
  private var firstPiece = 0
  /// A block of the file, and its rows.
  private let block: UnsafeMutableRawBufferPointer
  private var blockRange = 0..<0

  private static func blockRows(_ track: StoredTrack) -> Int { max(1, StoredTrack.blockSize / track.width) }

  static func byteCount(_ track: StoredTrack, capacity: Int, pieces: Int) -> Int {
    (capacity + blockRows(track)) * track.width * track.readType.size + pieces * MemoryLayout<Int>.stride
  }

  init(_ track: StoredTrack, _ parts: [ChunkPart], streams: StreamTable, capacity: Int) {
    self.track = track
    self.parts = parts
    self.streams = streams
    let all = parts.map(\.shift)
    shifts = (all.min() ?? 0)...(all.max() ?? 0)
    rowBytes = track.width * track.readType.size
    rows = .allocate(byteCount: capacity * rowBytes, alignment: 64)
    block = .allocate(byteCount: Self.blockRows(track) * rowBytes, alignment: 64)
  }

  deinit {
    rows.deallocate()
    block.deallocate()
  }

  /// The rows that a piece needs.
  private func rows(of piece: Piece) -> Range<Int> {
    guard track.isPerStream else {
      return piece.start + shifts.lowerBound..<piece.start + piece.steps.count + shifts.upperBound
    }
    let number = streams.number(of: piece.stream)
    return number..<number + (piece.resets ? 1 : 0)
  }

  func read(_ pieces: ArraySlice<PlacedPiece>, _ order: [(start: Int, piece: Int)]) throws {
    starts.removeAll(keepingCapacity: true)
    firstPiece = pieces.startIndex
    var place = 0
    for placed in pieces {
      starts.append(place)
      place += rows(of: placed.piece).count
    }
    for (_, number) in order { try copy(rows(of: pieces[number].piece), to: starts[number - firstPiece]) }
  }

  private func copy(_ range: Range<Int>, to place: Int) throws {
    var (rest, place) = (range, place)
    while !rest.isEmpty {
      if !blockRange.contains(rest.lowerBound) { try readBlock(of: rest.lowerBound) }
      let part = rest.clamped(to: blockRange)
      let from = (part.lowerBound - blockRange.lowerBound) * rowBytes
      UnsafeMutableRawBufferPointer(rebasing: rows[(place * rowBytes)...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[from..<from + part.count * rowBytes]))
      place += part.count
      rest = part.upperBound..<rest.upperBound
    }
  }

  private func readBlock(of row: Int) throws {
    let size = Self.blockRows(track)
    let first = row / size * size
    let range = first..<min(first + size, track.rows)
    blockRange = 0..<0
    try track.read(
      rows: range, into: UnsafeMutableRawBufferPointer(rebasing: block[..<(range.count * rowBytes)]))
    blockRange = range
  }

  func write(_ pieces: ArraySlice<PlacedPiece>, to chunk: Chunk) {
    guard let base = rows.baseAddress else { preconditionFailure("the rows have storage") }
    let rows = TrackRows(base: base, type: track.readType, width: track.width)
    for part in parts {
      part.write(pieces, to: chunk, from: rows) {
        starts[$0 - firstPiece] + part.shift - shifts.lowerBound
      }
    }
  }
}
