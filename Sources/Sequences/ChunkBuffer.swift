import Preconditions

/// One chunk of some lanes: T steps of B lanes, time-major, in storage that is allocated once and reused.
///
/// Element (t, b) of every array lies at t * B + b.
package final class ChunkBuffer: @unchecked Sendable {
  /// T.
  package let steps: Int
  /// B.
  package let lanes: Int
  /// The input tokens, [T, B].
  package let inputs: UnsafeMutableBufferPointer<Int32>
  /// The token that follows each input, [T, B].
  package let targets: UnsafeMutableBufferPointer<Int32>
  /// 1 where there is a target that counts, 0 elsewhere and where the lane is padded, [T, B].
  package let weights: UnsafeMutableBufferPointer<Float>
  /// 1 where the lane's state is reset before the step, else 0, [T, B].
  package let resets: UnsafeMutableBufferPointer<UInt8>
  /// The stream of each lane's first pair, by its number in the split; -1 where the lane has none. [B]
  package let streams: UnsafeMutableBufferPointer<Int>
  /// How many of that stream's pairs lie before; -1 where the lane has none. [B]
  package let offsets: UnsafeMutableBufferPointer<Int>
  /// The chunk's epoch, from 0.
  package private(set) var epoch = 0
  /// The chunk's number in the epoch, from 0.
  package private(set) var index = 0

  /// The bytes of such a buffer.
  static func byteCount(steps: Int, lanes: Int) -> Int {
    steps * lanes * (2 * MemoryLayout<Int32>.stride + MemoryLayout<Float>.stride + 1)
  }

  /// Storage for `steps` steps of `lanes` lanes, all of it padding.
  package init(steps: Int, lanes: Int) {
    precondition(steps > 0 && lanes > 0, "a chunk has at least one step and one lane")
    self.steps = steps
    self.lanes = lanes
    inputs = .allocate(capacity: steps * lanes)
    targets = .allocate(capacity: steps * lanes)
    weights = .allocate(capacity: steps * lanes)
    resets = .allocate(capacity: steps * lanes)
    streams = .allocate(capacity: lanes)
    offsets = .allocate(capacity: lanes)
    clear()
  }

  deinit {
    inputs.deallocate()
    targets.deallocate()
    weights.deallocate()
    resets.deallocate()
    streams.deallocate()
    offsets.deallocate()
  }

  /// Makes all of it padding: token 0, weight 0, state reset.
  package func clear() {
    inputs.initialize(repeating: 0)
    targets.initialize(repeating: 0)
    weights.initialize(repeating: 0)
    resets.initialize(repeating: 1)
    streams.initialize(repeating: -1)
    offsets.initialize(repeating: -1)
  }

  /// Begins a chunk of these pieces, whose tokens are still to be written.
  func begin(epoch: Int, index: Int, _ pieces: ArraySlice<PlacedPiece>) {
    self.epoch = epoch
    self.index = index
    clear()
    for placed in pieces where placed.piece.steps.lowerBound == 0 {
      streams[placed.row] = placed.piece.stream
      offsets[placed.row] = placed.piece.offset
    }
  }

  /// Writes the pairs of a piece. `tokens` are its inputs and, one further, its targets.
  @inline(__always)
  func write<T: FixedWidthInteger>(_ placed: PlacedPiece, tokens: UnsafePointer<T>) {
    let piece = placed.piece
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
