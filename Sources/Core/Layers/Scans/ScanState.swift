import CKernels
import Chunks

/// The state of a layer that scans, [B, W], over a chunk: what enters it, what leaves it, and what kernels need to compute
/// the states between again in the backward pass, when they go from block to block of steps.
///
/// Going forward the state is carried from chunk to chunk; where a stream begins it is zero. In reverse it is zero at first.
final class ScanState {
  /// What kernels read and write. [B, W]
  let values: Matrix
  /// Before `backward`: the gradient of the state that leaves the chunk. After: of the state that entered it. [B, W]
  let gradient: Matrix

  private let timeline: Timeline
  private let direction: Direction
  private let carries: Bool
  /// The states that enter each block, [blocks B, W]; those of the first enter the chunk.
  private let kept: Matrix
  /// Whether the lane's state is reset before the step. [T, B]
  private let resets: Buffer<UInt8>

  /// A state of the model, of `width` columns, of which kernels keep one in `block` steps.
  init(
    _ builder: Builder, _ configuration: ModelConfiguration, name: String, width: Int, block: Int,
    direction: Direction
  ) {
    let shape = builder.shape
    self.direction = direction
    timeline = builder.context.timeline
    carries = direction == .forward && configuration.initialState != .zero
    values = builder.floats(shape.lanes, width)
    gradient = builder.floats(shape.lanes, width)
    kept = builder.floats((shape.steps + block - 1) / block * shape.lanes, width)
    resets = Buffer(count: shape.rows)
    guard direction == .forward else { return }
    builder.carry(
      CarriedState(name: name, values: values, entering: kept.prefix(shape.lanes), gradient: gradient))
  }

  /// Computes a chunk lane by lane, in the order of time where several are tiles of one.
  func forward(_ chunk: Chunk, _ computeLane: (Int) -> Void) {
    if !carries { values.clear() }
    for t in 0..<chunk.steps {
      for lane in 0..<chunk.lanes {
        resets.base[t * chunk.lanes + lane] = direction.isReset(t, lane: lane, chunk) ? 1 : 0
      }
    }
    for tile in timeline.tiles {
      timeline.enter(tile, from: values, into: values)
      for lane in tile.columns { computeLane(lane) }
      timeline.leave(tile, values)
    }
  }

  /// Computes the gradients in reverse.
  func backward(_ computeLane: (Int) -> Void) {
    if direction == .reverse { gradient.clear() }
    for tile in timeline.tiles.reversed() {
      timeline.enterBackward(tile, from: gradient, into: gradient)
      for lane in tile.columns { computeLane(lane) }
      timeline.leaveBackward(tile, gradient)
    }
  }

  /// What kernels know of a lane's scan, over arrays of C columns with N states each.
  func scan(_ chunk: Chunk, lane: Int, channels: Int, states: Int) -> st_scan {
    st_scan(
      steps: chunk.steps, row_step: direction.rowStep(chunk), channels: channels, states: states,
      resets: resets.base + direction.firstRow(chunk) + lane, kept: kept[lane],
      kept_step: chunk.lanes * kept.columns)
  }
}
