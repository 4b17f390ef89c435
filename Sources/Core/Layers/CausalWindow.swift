import Chunks

/// The inputs that a causal convolution over time reads from before a chunk: the last K - 1 of each lane.
///
/// What lies before a stream's beginning is zero. The window is carried from chunk to chunk; where the layer goes back in
/// time, it is empty at first.
final class CausalWindow {
  /// K, the inputs that an output reads: its own and those before.
  let width: Int
  /// How many of the inputs before each position belong to its stream, up to K - 1. [T, B]
  let reach: Buffer<Int32>
  /// The last inputs of each lane before the chunk, the oldest first. [B, (K-1) C]
  let entering: Matrix
  /// The gradient of what leaves the chunk, and after `finishGradient` of what entered it. [B, (K-1) C]
  let gradient: Matrix
  /// Backward, the gradient of `entering`. [B, (K-1) C]
  let enteringGradient: Matrix
  /// C, the columns of the inputs.
  let channels: Int

  private let timeline: Timeline
  private let direction: Direction
  private let carries: Bool
  private let carried: Matrix

  /// The window of the layer `name`, of inputs of `channels` columns; a state of the model.
  init(
    _ builder: Builder, _ configuration: ModelConfiguration, name: String, width: Int, channels: Int,
    direction: Direction = .forward
  ) {
    let lanes = builder.shape.lanes
    (self.width, self.channels, self.direction) = (width, channels, direction)
    timeline = builder.context.timeline
    carries = direction == .forward && configuration.initialState != .zero
    reach = Buffer(count: builder.shape.rows)
    entering = builder.floats(lanes, (width - 1) * channels)
    carried = builder.floats(lanes, (width - 1) * channels)
    gradient = builder.floats(lanes, (width - 1) * channels)
    enteringGradient = builder.floats(lanes, (width - 1) * channels)
    guard direction == .forward, width > 1 else { return }
    builder.carry(
      CarriedState(name: "\(name).window", values: carried, entering: entering, gradient: gradient))
  }

  /// Begins a chunk of these inputs, [T B, C]: what the last one left enters it. A tile has more steps than the window, so what
  /// it leaves doesn't wait for what enters it.
  func enter(_ chunk: Chunk, inputs: Matrix) {
    if carries { entering.copy(from: carried) } else { entering.clear() }
    for lane in 0..<chunk.lanes {
      var count = width - 1
      for k in 0..<chunk.steps {
        let t = direction.time(ofStep: k, chunk)
        count = direction.isReset(t, lane: lane, chunk) ? 0 : min(count + 1, width - 1)
        reach.base[t * chunk.lanes + lane] = Int32(count)
      }
    }
    keep(chunk, inputs)
    for tile in timeline.tiles { timeline.leave(tile, carried) }
    for tile in timeline.tiles { timeline.enter(tile, from: carried, into: entering) }
  }

  /// Keeps each lane's last inputs, zero where they are of an earlier stream.
  private func keep(_ chunk: Chunk, _ inputs: Matrix) {
    guard direction == .forward else { return }
    for lane in 0..<chunk.lanes {
      let known = Int(reach.base[(chunk.steps - 1) * chunk.lanes + lane])
      for back in 1..<width {
        let to = carried[lane] + (width - 1 - back) * channels
        if back - 1 > known {
          to.update(repeating: 0, count: channels)
        } else if back <= chunk.steps {
          to.update(from: inputs[(chunk.steps - back) * chunk.lanes + lane], count: channels)
        } else {
          to.update(from: entering[lane] + (width - 1 - back + chunk.steps) * channels, count: channels)
        }
      }
    }
  }

  /// Passes on `enteringGradient`, which has been written: to `gradient` of the tiles before. The gradients of inputs come next.
  func passGradient() {
    for tile in timeline.tiles { timeline.leaveBackward(tile, enteringGradient) }
    for tile in timeline.tiles { timeline.enterBackward(tile, from: enteringGradient, into: gradient) }
  }

  /// Ends the backward pass of a chunk.
  func finishGradient() { gradient.copy(from: enteringGradient) }
}
