import CKernels
import Random

/// Inverted dropout (Srivastava et al. 2014): in training each value is kept with probability `keep`, and divided by
/// it. The mask is a function of (seed, layer, chunk, time, lane), never stored.
final class Dropout: Layer {
  /// The masked values [T B, C]; their gradient.
  let output: Signal

  private let context: LayerContext
  private let input: Signal
  private let keep: Float
  private let key: UInt64
  private let values: Buffer<Float>

  /// Drops values of `input` with `probability`, by the masks of layer `index` in a run of this seed.
  init(
    _ context: LayerContext, input: Signal, outputGradient: Matrix, probability: Double, seed: UInt64,
    index: Int
  ) {
    self.context = context
    self.input = input
    keep = Float(1 - probability)
    key = RandomKey(seed: seed &+ UInt64(index) << 32, purpose: .dropout).value
    values = Buffer(count: input.value.count)
    output = Signal(
      value: values.matrix(rows: input.value.rows, columns: input.value.columns), gradient: outputGradient)
  }

  func forward(_ chunk: TokenChunk) { mask(input.value, chunk, into: output.value) }

  func backward(_ chunk: TokenChunk) { mask(output.gradient, chunk, into: input.gradient) }

  private func mask(_ x: Matrix, _ chunk: TokenChunk, into y: Matrix) {
    for t in 0..<context.shape.steps {
      st_dropout(
        chunk.lanes, x.columns, x.step(t, of: chunk.lanes).base, keep, key, chunk.number, UInt32(t),
        UInt32(context.firstLane), y.step(t, of: chunk.lanes).base)
    }
  }
}
