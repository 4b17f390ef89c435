import Chunks

extension Chunk {
  /// Begins a chunk of these pieces, whose tracks are still to be written.
  func begin(epoch: Int, index: Int, _ pieces: ArraySlice<PlacedPiece>) {
    self.epoch = epoch
    self.index = index
    clear(steps: capacity)
    for placed in pieces where placed.piece.steps.lowerBound == 0 {
      streams[placed.row] = placed.piece.stream
      offsets[placed.row] = placed.piece.offset
    }
  }

  /// Writes the pairs of a piece. `tokens` are its inputs and, one further, its targets.
  @inline(__always)
  func write<T: FixedWidthInteger>(_ placed: PlacedPiece, tokens: UnsafePointer<T>) {
    let piece = placed.piece
    let (inputs, targets) = (self.tokens(.input), self.tokens(.target))
    var place = piece.steps.lowerBound * lanes + placed.row
    let weight: Float = piece.counts ? 1 : 0
    let first = place
    for step in 0..<piece.steps.count {
      inputs[place] = Int32(truncatingIfNeeded: tokens[step])
      targets[place] = Int32(truncatingIfNeeded: tokens[step + 1])
      weights[place] = weight
      resets[place] = 0
      place += lanes
    }
    if piece.resets { resets[first] = 1 }
  }
}
