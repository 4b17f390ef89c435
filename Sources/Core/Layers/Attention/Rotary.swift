import Chunks
import Glibc

/// Rotary positions (Su et al. 2021): at position p the pair (j, j + D / 2) of a head is turned by p 10000^(-2j/D), so that
/// scores depend on how far apart a query and a key are.
final class Rotary {
  /// D / 2 cosines and D / 2 sines a position. [positions, D]
  private let turns: Matrix
  private let buffer: Buffer<Float>

  /// Those of heads that are `width` columns wide, an even number, up to `positions` positions.
  init(width: Int, positions: Int) {
    buffer = Buffer(rows: positions, columns: width)
    turns = buffer.matrix(rows: positions, columns: width)
    guard MemoryMeasurement.current == nil else { return }
    let half = width / 2
    for j in 0..<half {
      let rate = pow(10_000, -2 * Double(j) / Double(width))
      for position in 0..<positions {
        let angle = Double(position) * rate
        turns[position][j] = Float(cos(angle))
        turns[position][half + j] = Float(sin(angle))
      }
    }
  }

  /// The cosines and sines from a position on.
  func turns(from position: Int) -> UnsafePointer<Float> { UnsafePointer(turns[position]) }
}
