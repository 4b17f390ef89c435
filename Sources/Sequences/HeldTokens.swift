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
    for placed in pieces { buffer.write(placed, tokens: base + placed.piece.start) }
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
