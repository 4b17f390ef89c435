import CSupport
import Chunks

/// All tokens of a dataset in memory, in the smallest type that has room for the vocabulary.
struct HeldTokens: @unchecked Sendable {
  // Unchecked, since the memory is only read.
  private let memory: UnsafeRawBufferPointer
  private let type: TokenType

  /// Tokens that have been read to `memory`, which stays as long as this is used.
  init(_ memory: UnsafeRawBufferPointer, _ type: TokenType) {
    self.memory = memory
    self.type = type
  }

  /// Copies the tokens of a range to `buffer`, which has just as many elements, of a type with room for them.
  func copy<T: FixedWidthInteger>(_ range: Range<Int>, to buffer: UnsafeMutableBufferPointer<T>) {
    switch type {
    case .uint8: copy(range, of: UInt8.self, to: buffer)
    case .uint16: copy(range, of: UInt16.self, to: buffer)
    case .int32: copy(range, of: Int32.self, to: buffer)
    }
  }

  private func copy<S: FixedWidthInteger, T: FixedWidthInteger>(
    _ range: Range<Int>, of _: S.Type, to buffer: UnsafeMutableBufferPointer<T>
  ) {
    let tokens = memory.assumingMemoryBound(to: S.self)[range]
    for (place, token) in zip(buffer.indices, tokens) { buffer[place] = T(truncatingIfNeeded: token) }
  }

  /// Writes pieces to `buffer`.
  func write(_ pieces: ArraySlice<PlacedPiece>, to buffer: Chunk) {
    switch type {
    case .uint8: write(pieces, of: UInt8.self, to: buffer)
    case .uint16: write(pieces, of: UInt16.self, to: buffer)
    case .int32: write(pieces, of: Int32.self, to: buffer)
    }
  }

  private func write<T: FixedWidthInteger>(
    _ pieces: ArraySlice<PlacedPiece>, of _: T.Type, to buffer: Chunk
  ) {
    guard let base = memory.assumingMemoryBound(to: T.self).baseAddress else { return }
    // Short pieces lie anywhere: the first tokens of those that follow are fetched meanwhile.
    for (number, placed) in zip(pieces.indices, pieces) {
      if number + 16 < pieces.endIndex { st_prefetch(base + pieces[number + 16].piece.start) }
      buffer.write(placed, tokens: base + placed.piece.start)
    }
  }
}

/// How tokens are kept in memory, by the bytes of each.
enum TokenType: Int {
  case uint8 = 1
  case uint16 = 2
  case int32 = 4

  /// The smallest type for the tokens of a vocabulary of this size.
  init(vocabulary count: Int) { self = count <= 1 << 8 ? .uint8 : count <= 1 << 16 ? .uint16 : .int32 }
}
