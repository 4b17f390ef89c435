import CKernels
import Chunks
import Random

/// Inverted dropout (Srivastava et al. 2014): in training each value is kept with probability `keep`, and divided by
/// it. The mask is a function of (seed, layer, chunk, time, lane), never stored.
final class Dropout: Module {
  /// The masked values. [T B, C]
  let output: Signal

  private let input: Signal
  private let sink: Sink?
  private let firstLane: UInt32
  private let keep: Float
  private let key: UInt64

  /// Drops values of `input` with `probability`, by the masks of layer `index` in a run of this seed.
  init(_ builder: Builder, reading input: Signal, probability: Double, seed: UInt64, index: Int) {
    self.input = input
    sink = builder.read(input)
    firstLane = UInt32(builder.context.firstLane)
    keep = Float(1 - probability)
    key = RandomKey(seed: seed &+ UInt64(index) << 32, purpose: .dropout).value
    output = builder.signal("dropout.\(index)", columns: input.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) { mask(input.value, chunk, into: output.value) }

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { mask(output.gradient, chunk, into: $0) }
  }

  private func mask(_ x: Matrix, _ chunk: Chunk, into y: Matrix) {
    for t in 0..<chunk.steps {
      st_dropout(
        chunk.lanes, x.columns, x.step(t, of: chunk.lanes).base, keep, key, chunk.number, UInt32(t),
        firstLane,
        y.step(t, of: chunk.lanes).base)
    }
  }
}
