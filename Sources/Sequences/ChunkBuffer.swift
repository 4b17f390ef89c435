/// One chunk of some lanes: T steps of B lanes, time-major, in storage that is allocated once and reused.
///
/// Element (t, b) of every array lies at t * B + b.
public final class ChunkBuffer: @unchecked Sendable {
  /// T.
  public let steps: Int
  /// B.
  public let lanes: Int
  /// The input tokens, [T, B].
  public let inputs: UnsafeMutableBufferPointer<Int32>
  /// The token that follows each input, [T, B].
  public let targets: UnsafeMutableBufferPointer<Int32>
  /// 1 where there is a target that counts, 0 elsewhere and where the lane is padded, [T, B].
  public let weights: UnsafeMutableBufferPointer<Float>
  /// 1 where the lane's state is reset before the step, else 0, [T, B].
  public let resets: UnsafeMutableBufferPointer<UInt8>

  /// Storage for `steps` steps of `lanes` lanes, all of it padding.
  public init(steps: Int, lanes: Int) {
    precondition(steps > 0 && lanes > 0, "a chunk has at least one step and one lane")
    self.steps = steps
    self.lanes = lanes
    inputs = .allocate(capacity: steps * lanes)
    targets = .allocate(capacity: steps * lanes)
    weights = .allocate(capacity: steps * lanes)
    resets = .allocate(capacity: steps * lanes)
    clear()
  }

  deinit {
    inputs.deallocate()
    targets.deallocate()
    weights.deallocate()
    resets.deallocate()
  }

  /// Makes all of it padding: token 0, weight 0, state reset.
  public func clear() {
    inputs.initialize(repeating: 0)
    targets.initialize(repeating: 0)
    weights.initialize(repeating: 0)
    resets.initialize(repeating: 1)
  }

  /// Writes the pairs of `piece` to `lane`, a number among this buffer's lanes. `tokens` are the piece's inputs and,
  /// one further, its targets.
  func write(_ piece: Piece, lane: Int, tokens: UnsafePointer<Int32>) {
    var place = piece.steps.lowerBound * lanes + lane
    for step in 0..<piece.steps.count {
      inputs[place] = tokens[step]
      targets[place] = tokens[step + 1]
      weights[place] = piece.counts ? 1 : 0
      resets[place] = step == 0 && piece.resets ? 1 : 0
      place += lanes
    }
  }
}
