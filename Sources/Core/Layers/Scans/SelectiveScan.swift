import CKernels
import Chunks
import Glibc

/// The scan of a Mamba layer: the recurrence of its states, and the gate behind it. `st_selective_scan_forward` says how.
final class SelectiveScan {
  /// What a scan reads and writes, each [T B, .]; after `backward` the gradient of what was there. That of `values` is in
  /// the place of `gated`, where before is that of `gated`.
  struct Arrays {
    /// v. [T B, E]
    let values: Matrix
    /// What softplus makes step sizes of. [T B, E]
    let logits: Matrix
    /// r. [T B, E]
    let gates: Matrix
    /// y silu(r). [T B, E]
    let gated: Matrix
    /// B and C. [T B, 2 N]
    let matrices: Matrix
  }

  private let context: ModuleContext
  private let direction: Direction
  private let decayLogarithm: ParameterView
  private let skip: ParameterView
  private let state: ScanState
  /// A log2(e). [N, E]
  private let decay: Matrix
  /// The gradient of each shard. [shards, N E], [shards, E]
  private let decayGradients: Matrix
  private let skipGradients: Matrix
  private let scratch: Matrix

  /// A scan with the state `name`.h and the parameters A_log [E, N] and D [E].
  init(
    _ builder: Builder, _ configuration: ModelConfiguration, name: String, decay: ParameterView,
    skip: ParameterView, direction: Direction
  ) {
    let (channels, states) = (decay.weights.rows, decay.weights.columns)
    context = builder.context
    (self.direction, self.skip, decayLogarithm) = (direction, skip, decay)
    state = ScanState(
      builder, configuration, name: "\(name).h", width: states * channels, block: Int(ST_SELECTIVE_BLOCK),
      direction: direction)
    self.decay = builder.floats(states, channels)
    decayGradients = builder.floats(builder.shape.shards, states * channels)
    skipGradients = builder.floats(builder.shape.shards, channels)
    scratch = builder.floats(2 * Int(ST_SELECTIVE_BLOCK) * states, 16)
  }

  /// Call when the weights have changed.
  func prepareWeights() {
    let logarithms = decayLogarithm.weights
    for channel in 0..<logarithms.rows {
      for n in 0..<logarithms.columns {
        decay[n][channel] = Float(-exp(Double(logarithms[channel][n])) * 1.4426950408889634)
      }
    }
  }

  func forward(_ chunk: Chunk, _ arrays: Arrays) {
    state.forward(chunk) { lane in
      var scan = scan(chunk, arrays, lane: lane)
      st_selective_scan_forward(&scan, state.values[lane])
    }
  }

  func backward(_ chunk: Chunk, _ arrays: Arrays) {
    decayGradients.clear()
    skipGradients.clear()
    state.backward { lane in
      let shard = lane / context.shape.lanesPerShard
      var scan = scan(chunk, arrays, lane: lane)
      st_selective_scan_backward(
        &scan, state.gradient[lane], decayGradients[shard], skipGradients[shard], scratch.base)
    }
    addGradients()
  }

  private func addGradients() {
    context.gradients.addShardRows(skipGradients, to: skip.gradient)
    let (decay, gradients) = (decay, decayGradients)
    context.gradients.add(to: decayLogarithm.gradient) { shard, block, sum in
      let gradient = Matrix(gradients[shard], rows: decay.rows, columns: decay.columns)
      for (row, channel) in block.rows.enumerated() {
        for (column, n) in block.columns.enumerated() {
          sum[row][column] += gradient[n][channel] * decay[n][channel] * 0.693147181
        }
      }
    }
  }

  private func scan(_ chunk: Chunk, _ arrays: Arrays, lane: Int) -> st_selective_scan {
    let (row, states) = (direction.firstRow(chunk) + lane, decay.rows)
    return st_selective_scan(
      scan: state.scan(chunk, lane: lane, channels: decay.columns, states: states),
      inputs: arrays.values[row], logits: arrays.logits[row], gates: arrays.gates[row],
      outputs: arrays.gated[row], gate_stride: arrays.gates.stride, b: arrays.matrices[row],
      c: arrays.matrices[row] + states, matrix_stride: arrays.matrices.stride, decay: decay.base,
      skip: skip.weights.base)
  }
}
