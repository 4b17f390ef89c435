import CKernels
import Chunks
import Random

/// The mask of inverted dropout (Srivastava et al. 2014): each value is kept with probability `keep`, and divided by it. A
/// function of (seed, name, chunk, time, lane), never stored.
struct DropoutMask {
  /// Whether all steps of a lane's chunk have the same mask (Gal & Ghahramani 2016).
  let isVariational: Bool
  private let tiles: [Tile]
  private let keep: Float
  private let key: UInt64

  /// Drops with `probability`; nil where nothing is dropped, or the model is not for training.
  init?(_ builder: Builder, name: String, probability: Double, isVariational: Bool = false) {
    guard let seed = builder.dropoutSeed, probability > 0 else { return nil }
    self.isVariational = isVariational
    tiles = builder.context.timeline.tiles
    keep = Float(1 - probability)
    key = RandomKey(seed: seed, purpose: .dropout, name: builder.qualified(name)).value
  }

  /// Masks step t of all lanes: y = x mask. [B, C]
  func apply(_ t: Int, _ chunk: Chunk, _ x: Matrix, into y: Matrix) {
    for tile in tiles {
      st_dropout(
        tile.columns.count, x.columns, x[tile.columns.lowerBound], keep, key, chunk.number,
        isVariational ? .max : UInt32(tile.steps.lowerBound + t), UInt32(tile.lanes.lowerBound),
        y[tile.columns.lowerBound])
    }
  }
}

/// Dropout of a signal in training.
final class Dropout: Module {
  /// The masked values. [T B, C]
  let output: Signal

  private let input: Signal
  private let sink: Sink?
  private let mask: DropoutMask

  private init(_ builder: Builder, name: String, reading input: Signal, mask: DropoutMask) {
    self.input = input
    self.mask = mask
    sink = builder.read(input)
    output = builder.signal(name, columns: input.value.columns)
    builder.add(self)
  }

  /// Adds one that drops values of `input` with `probability`, unless nothing is dropped; returns what is left.
  static func add(
    to builder: Builder, name: String, reading input: Signal, probability: Double, isVariational: Bool = false
  ) -> Signal {
    let mask = DropoutMask(builder, name: name, probability: probability, isVariational: isVariational)
    guard let mask else { return input }
    return Dropout(builder, name: name, reading: input, mask: mask).output
  }

  func forward(_ chunk: Chunk) { apply(input.value, chunk, into: output.value) }

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { apply(output.gradient, chunk, into: $0) }
  }

  private func apply(_ x: Matrix, _ chunk: Chunk, into y: Matrix) {
    for t in 0..<chunk.steps {
      mask.apply(t, chunk, x.step(t, of: chunk.lanes), into: y.step(t, of: chunk.lanes))
    }
  }
}
