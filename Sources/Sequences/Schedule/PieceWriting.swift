import Chunks

extension Chunk {
  /// Begins a chunk of `steps` steps and these pieces, whose tracks are still to be written: its weights, 1 wherever a
  /// pair counts, and resets.
  func begin(epoch: Int, index: Int, steps: Int, _ pieces: ArraySlice<PlacedPiece>) {
    self.epoch = epoch
    self.index = index
    clear(steps: steps)
    for placed in pieces {
      let piece = placed.piece
      if piece.steps.lowerBound == 0 {
        streams[placed.row] = piece.stream
        offsets[placed.row] = piece.offset
      }
      let weight: Float = piece.counts ? 1 : 0
      let first = piece.steps.lowerBound * lanes + placed.row
      var place = first
      for _ in piece.steps {
        weights[place] = weight
        resets[place] = 0
        place += lanes
      }
      if piece.resets { resets[first] = 1 }
    }
  }
}
