import CKernels
import Glibc
import Testing

@Suite struct ActivationTests {
  private func isClose(_ a: Float, _ b: Double) -> Bool { abs(Double(a) - b) <= 1e-6 * max(1, abs(b)) }

  @Test(arguments: InstructionSet.all)
  func `softplus is within three units in the last place, and keeps infinities and NaN`(_ set: InstructionSet)
  {
    let points = (-87_300...87_300).map { Float($0) * 1e-3 } + numbers(10_000, seed: 1).map { $0 * 1e-3 }
    let x = points + [1e4, 0x1p-140, .infinity, -.infinity, -1e4, .nan]
    var y = x
    set.kernels.pointee.softplus_forward(x.count, y, &y)
    for (x, y) in zip(x, y).dropLast(4) {
      let expected = max(Double(x), 0) + log1p(exp(-abs(Double(x))))
      #expect(abs(Double(y) - expected) <= 3 * Double(Float(expected).ulp), "softplus(\(x))")
    }
    #expect(y[points.count + 2] == .infinity && y[points.count + 3] == y[points.count + 4])
    #expect(y[points.count + 4] >= 0 && y[points.count + 4] < 1e-37 && y[points.count + 5].isNaN)
  }

  @Test(arguments: InstructionSet.all)
  func `GELU and its gradient follow the equations over their whole range`(_ set: InstructionSet) {
    let x = (-1500...1500).map { Float($0) * 0.0071 } + [.nan], dy = numbers(x.count, seed: 1)
    var (y, dx) = (x, x)
    set.kernels.pointee.gelu_forward(x.count, y, &y)
    set.kernels.pointee.gelu_backward(x.count, dx, dy, &dx)
    for i in x.indices.dropLast() {
      let v = Double(x[i]), share = (1 + erf(v / 2.0.squareRoot())) / 2
      let slope = share + v * exp(-v * v / 2) / (2 * Double.pi).squareRoot()
      #expect(isClose(y[i], v * share) && isClose(dx[i], Double(dy[i]) * slope), "\(v)")
    }
    #expect(y[x.count - 1].isNaN && dx[x.count - 1].isNaN)
  }

  @Test(arguments: InstructionSet.all, [1, 16, 21])
  func `gated units and their gradient follow the equations`(_ set: InstructionSet, _ n: Int) {
    let x = numbers(3 * 2 * n, seed: 1).map { 5 * $0 }, dy = numbers(3 * n, seed: 2)
    var (y, dx) = (dy, x)
    set.kernels.pointee.gated_silu_forward(3, n, x, &y)
    set.kernels.pointee.gated_silu_backward(3, n, dx, dy, &dx)
    for r in 0..<3 {
      for j in 0..<n {
        let (u, v, d) = (Double(x[2 * r * n + j]), Double(x[(2 * r + 1) * n + j]), Double(dy[r * n + j]))
        let s = 1 / (1 + exp(-u))
        #expect(isClose(y[r * n + j], u * s * v))
        #expect(isClose(dx[2 * r * n + j], d * v * (s + u * s * (1 - s))))
        #expect(isClose(dx[(2 * r + 1) * n + j], d * u * s))
      }
    }
  }

  @Test(arguments: InstructionSet.all, [1, 16, 23, 100])
  func `normalisation by the root of the mean square follows the equations`(_ set: InstructionSet, _ n: Int) {
    let rows = 3, epsilon = 1e-5
    let x = numbers(rows * n, seed: 1), dy = numbers(rows * n, seed: 2), gain = numbers(n, seed: 3)
    var unit = x, y = x, inverse = [Float](repeating: 0, count: rows), dx = dy
    set.kernels.pointee.rms_norm_forward(rows, n, y, gain, Float(epsilon), &unit, &inverse, &y)
    set.kernels.pointee.rms_norm_backward(rows, n, dx, unit, inverse, gain, &dx)
    for r in 0..<rows {
      let row = x[r * n..<(r + 1) * n].map(Double.init)
      let scale = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(n) + epsilon).squareRoot()
      let d = (0..<n).map { Double(dy[r * n + $0]) * Double(gain[$0]) }
      let slope = zip(d, row).reduce(0) { $0 + $1.0 * $1.1 * scale } / Double(n)
      for j in 0..<n {
        #expect(isClose(y[r * n + j], row[j] * scale * Double(gain[j])))
        #expect(abs(Double(dx[r * n + j]) - (d[j] - row[j] * scale * slope) * scale) <= 1e-5 * scale)
      }
    }
  }
}
