import Chunks
import Preconditions

/// Reads the tokens of many pieces from a dataset's file in the order in which they lie there, so that no part of the
/// file is read twice.
final class PieceReader {
  private let dataset: SequenceDataset
  /// The tokens of the pieces, one piece after another.
  private let tokens: UnsafeMutableBufferPointer<Int32>
  /// Where the tokens of the next piece begin that is written to a buffer.
  private var next = 0
  private var order: [(start: Int, piece: Int, place: Int)] = []
  /// A block of the file.
  private let block: UnsafeMutableBufferPointer<Int32>
  private var blockRange = 0..<0

  /// The most pieces and tokens that are read together, unless one chunk has more.
  private static let pieceLimit = 1 << 18
  private static let tokenLimit = 1 << 22

  /// The most tokens that are read together, where chunks have so many pairs: a piece has a token more than pairs.
  private static func capacity(largestChunk: Int) -> Int { tokenLimit + 2 * largestChunk }

  /// The most bytes of tokens and of the places of pieces.
  static func byteCount(largestChunk: Int) -> Int {
    (capacity(largestChunk: largestChunk) + SequenceDataset.blockSize) * MemoryLayout<Int32>.stride
      + (pieceLimit + largestChunk) * MemoryLayout<(start: Int, piece: Int, place: Int)>.stride
  }

  /// - Parameter largestChunk: The most pairs in a chunk.
  init(_ dataset: SequenceDataset, largestChunk: Int) {
    self.dataset = dataset
    tokens = .allocate(capacity: Self.capacity(largestChunk: largestChunk))
    block = .allocate(capacity: SequenceDataset.blockSize)
  }

  deinit {
    tokens.deallocate()
    block.deallocate()
  }

  /// Whether the pieces of one chunk more can be read with these.
  func hasRoom(for batch: PieceBatch) -> Bool {
    batch.pieces.count < Self.pieceLimit && batch.tokenCount < Self.tokenLimit
  }

  /// Reads the tokens of these pieces, which are then written in their order.
  ///
  /// - Throws: `HDF5Error` or `DataError` where they cannot be read.
  func read(_ pieces: ArraySlice<PlacedPiece>) throws {
    next = 0
    order.removeAll(keepingCapacity: true)
    var place = 0
    for (number, piece) in zip(pieces.indices, pieces) {
      order.append((piece.tokens.lowerBound, number, place))
      place += piece.tokens.count
    }
    order.sort { $0.start < $1.start }
    for (_, number, place) in order { try copy(pieces[number].tokens, to: place) }
  }

  private func copy(_ range: Range<Int>, to place: Int) throws {
    var (rest, place) = (range, place)
    while !rest.isEmpty {
      if !blockRange.contains(rest.lowerBound) { try readBlock(of: rest.lowerBound) }
      let part = rest.clamped(to: blockRange)
      let from = part.lowerBound - blockRange.lowerBound
      _ = tokens[place...].update(fromContentsOf: block[from..<from + part.count])
      place += part.count
      rest = part.upperBound..<rest.upperBound
    }
  }

  private func readBlock(of token: Int) throws {
    let first = token / block.count * block.count
    let range = first..<min(first + block.count, dataset.streams.tokens.upperBound)
    blockRange = 0..<0
    try dataset.read(tokens: range, into: UnsafeMutableBufferPointer(rebasing: block[..<range.count]))
    blockRange = range
  }

  /// Writes the next pieces to `buffer`.
  func write(_ pieces: ArraySlice<PlacedPiece>, to buffer: Chunk) {
    guard let base = tokens.baseAddress else { preconditionFailure("the tokens have storage") }
    for placed in pieces {
      buffer.write(placed, tokens: UnsafePointer(base) + next)
      next += placed.tokens.count
    }
  }
}
