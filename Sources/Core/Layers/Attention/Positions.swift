import Chunks
import Glibc

/// Sinusoidal positions (Vaswani et al. 2017) added to a signal of W columns: for position n of its stream, from 0,
///
///     y[2j] = factor x[2j] + sin(n 10000^(-2j/W))     y[2j + 1] = factor x[2j + 1] + cos(n 10000^(-2j/W))
///
/// How many positions a lane's stream has had is carried from chunk to chunk.
final class Positions: Module {
  /// [T B, W]
  let output: Signal

  private let input: Signal
  private let sink: Sink?
  private let factor: Float
  private let carries: Bool
  /// Sines and cosines of the first T positions. [T, W], or W + 1 where W is odd
  private let waves: Matrix
  /// Those of the position at which a lane enters the chunk: the ones behind it follow from sums of angles. [1, W or W + 1]
  private let start: Matrix
  /// [B, 1]
  private let count: Matrix
  private let enteringCount: Matrix

  /// - Parameters:
  ///   - name: What the signal is called; the state is `name`.count.
  ///   - carries: Whether streams go on in the next chunk.
  init(_ builder: Builder, name: String, reading input: Signal, times factor: Float, carries: Bool) {
    let (lanes, columns) = (builder.shape.lanes, input.value.columns)
    self.input = input
    self.factor = factor
    self.carries = carries
    sink = builder.read(input)
    waves = builder.floats(builder.shape.steps, (columns + 1) / 2 * 2)
    start = builder.floats(1, waves.columns)
    count = builder.floats(lanes, 1)
    enteringCount = builder.floats(lanes, 1)
    builder.carry(
      CarriedState(
        name: "\(name).count", values: count, entering: enteringCount, gradient: builder.floats(lanes, 0)))
    output = builder.signal(name, columns: columns)
    builder.add(self)
    guard MemoryMeasurement.current == nil else { return }
    for n in 0..<waves.rows { fill(waves.rows(n..<n + 1), at: n) }
  }

  func forward(_ chunk: Chunk) {
    if !carries { count.clear() }
    enteringCount.copy(from: count)
    for lane in 0..<chunk.lanes {
      var (first, from) = (whole(enteringCount[lane][0], atMost: 1 << 24), 0)
      fill(start, at: first)
      for t in 0..<chunk.steps {
        if chunk.isReset(t, lane: lane) {
          (first, from) = (0, t)
          fill(start, at: 0)
        }
        addPosition(t - from, to: input.value[t * chunk.lanes + lane], output.value[t * chunk.lanes + lane])
      }
      count[lane][0] = Float(first + chunk.steps - from)
    }
  }

  func backward(_ chunk: Chunk) {
    let dy = output.gradient.prefix(chunk.rows)
    sink?.write(rows: chunk.rows) { dx in
      for i in 0..<dy.count { dx.base[i] = factor * dy.base[i] }
    }
  }

  /// y = factor x + what stands so many positions behind the start.
  private func addPosition(_ n: Int, to x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
    let (a, b) = (start.base, waves[n])
    for j in stride(from: 0, to: start.columns, by: 2) {
      y[j] = factor * x[j] + (a[j] * b[j + 1] + a[j + 1] * b[j])
      guard j + 1 < output.value.columns else { break }
      y[j + 1] = factor * x[j + 1] + (a[j + 1] * b[j + 1] - a[j] * b[j])
    }
  }

  /// The sines and cosines of a position.
  private func fill(_ row: Matrix, at position: Int) {
    for j in stride(from: 0, to: row.columns, by: 2) {
      let angle = Double(position) * pow(10_000, -Double(j) / Double(output.value.columns))
      (row.base[j], row.base[j + 1]) = (Float(sin(angle)), Float(cos(angle)))
    }
  }
}
