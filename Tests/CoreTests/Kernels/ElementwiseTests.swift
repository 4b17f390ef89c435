import CKernels
import Testing

@Suite struct ElementwiseTests {
  private func isClose(_ a: Float, _ b: Double) -> Bool { abs(Double(a) - b) <= 1e-5 * max(1, abs(b)) }

  /// Some lanes of a time-major array: 7 rows of 3 lanes of 5.
  private func place(_ r: Int) -> Int { r / 3 * 5 + r % 3 }

  @Test(arguments: InstructionSet.all)
  func `sums and fills`(_ set: InstructionSet) {
    let n = 35, a = numbers(n, seed: 1), b = numbers(n, seed: 2)
    var out = [Float](repeating: 0, count: n)
    set.kernels.pointee.add(n, a, b, &out)
    #expect(out == zip(a, b).map(+))
    var rows = [Float](repeating: 9, count: 3 * 40)
    set.kernels.pointee.fill_rows(3, n, a, &rows, 40)
    for r in 0..<3 { #expect(Array(rows[r * 40..<r * 40 + n]) == a && rows[r * 40 + n] == 9) }
  }

  @Test(arguments: InstructionSet.all, [1, 4, 7])
  func `column sums take the named rows, one after another`(_ set: InstructionSet, _ rows: Int) {
    let n = 37, ld = 40
    let x = numbers(15 * ld, seed: 1), y = numbers(15 * ld, seed: 2), before = numbers(n, seed: 3)
    var sums = before, products = before, expected = before
    set.kernels.pointee.add_column_sums(n, rows, 3, 5, x, ld, &sums)
    set.kernels.pointee.add_column_products(n, rows, 3, 5, x, y, ld, &products)
    for r in 0..<rows { for j in 0..<n { expected[j] += x[place(r) * ld + j] } }
    #expect(bits(sums) == bits(expected))
    for j in 0..<n {
      let sum = (0..<rows).reduce(Double(before[j])) {
        $0 + Double(x[place($1) * ld + j]) * Double(y[place($1) * ld + j])
      }
      #expect(isClose(products[j], sum))
    }
  }

  @Test(arguments: InstructionSet.all)
  func `rows are gathered from a table and added back to it`(_ set: InstructionSet) {
    let n = 21, table = numbers(6 * n, seed: 1)
    let index: [Int32] = [5, 0, 3, 3, 2, 5, 1, 0, 4, 2, 2, 5, 1, 1, 0]
    var out = [Float](repeating: 0, count: 15 * n)
    set.kernels.pointee.gather_rows(15, n, table, index, &out)
    for (r, row) in index.enumerated() {
      #expect(Array(out[r * n..<(r + 1) * n]) == Array(table[Int(row) * n..<(Int(row) + 1) * n]))
    }
    let x = numbers(15 * 30, seed: 2)
    var sums = table, expected = table
    set.kernels.pointee.scatter_add_rows(n, 7, 3, 5, x, 30, index, &sums)
    for r in 0..<7 { for j in 0..<n { expected[Int(index[place(r)]) * n + j] += x[place(r) * 30 + j] } }
    #expect(bits(sums) == bits(expected))
  }

  @Test(arguments: InstructionSet.all, [1, 16, 64, 67, 200])
  func `dropout follows the lane's own random numbers`(_ set: InstructionSet, _ n: Int) {
    let keep: Float = 0.7, key: UInt64 = 0x1234_5678_9ABC_DEF0
    var x = numbers(3 * n, seed: 1)
    x[0] = .nan
    var out = [Float](repeating: 0, count: 3 * n)
    set.kernels.pointee.dropout(3, n, x, keep, key, 11, 12, 4_000_000_000, &out)
    for r in 0..<3 {
      for i in 0..<n where r + i > 0 {
        let four = st_philox(key, UInt32(i / 4), 11, 12, UInt32(4_000_000_000 + r))
        let word = [four.x0, four.x1, four.x2, four.x3][i % 4]
        let isKept = Float(word >> 8) * 0x1p-24 < keep
        #expect(out[r * n + i] == (isKept ? x[r * n + i] * (1 / keep) : 0))
      }
    }
    #expect(out[0].isNaN)
    var alone = [Float](repeating: 0, count: n)
    set.kernels.pointee.dropout(1, n, Array(x[2 * n..<3 * n]), keep, key, 11, 12, 4_000_000_002, &alone)
    #expect(bits(alone) == bits(out[2 * n..<3 * n]))
  }

  @Test(arguments: InstructionSet.all, [1, 16, 23, 100])
  func `layer normalisation and its gradient follow the equations`(_ set: InstructionSet, _ n: Int) {
    let rows = 3, epsilon = 1e-5
    let x = numbers(rows * n, seed: 1).map { $0 + 0.3 }, dy = numbers(rows * n, seed: 2)
    let gain = numbers(n, seed: 3), bias = numbers(n, seed: 4)
    var unit = [Float](repeating: 0, count: rows * n), y = x, inverse = [Float](repeating: 0, count: rows),
      dx = dy
    set.kernels.pointee.layer_norm_forward(rows, n, y, gain, bias, Float(epsilon), &unit, &inverse, &y)
    set.kernels.pointee.layer_norm_backward(rows, n, dx, unit, inverse, gain, &dx)
    for r in 0..<rows {
      let row = x[r * n..<(r + 1) * n].map(Double.init), count = Double(n)
      let mean = row.reduce(0, +) / count
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      let scale = 1 / (variance + epsilon).squareRoot()
      let normalized = row.map { ($0 - mean) * scale }
      let d = (0..<n).map { Double(dy[r * n + $0]) * Double(gain[$0]) }
      let sum = d.reduce(0, +) / count, slope = zip(d, normalized).reduce(0) { $0 + $1.0 * $1.1 } / count
      #expect(isClose(inverse[r], scale))
      for j in 0..<n {
        #expect(isClose(unit[r * n + j], normalized[j]))
        #expect(isClose(y[r * n + j], normalized[j] * Double(gain[j]) + Double(bias[j])))
        let expected = (d[j] - sum - normalized[j] * slope) * scale
        #expect(abs(Double(dx[r * n + j]) - expected) <= 1e-5 * scale)
      }
    }
  }

  @Test(arguments: InstructionSet.all, [0, 1, 31, 1024, 5000])
  func `sums of squares, and the search for what is not finite`(
    _ set: InstructionSet, _ n: Int
  ) {
    var x = numbers(n, seed: 1)
    let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(set.kernels.pointee.sum_of_squares(n, x) - squares) <= 1e-12 * max(1, squares))
    #expect(set.kernels.pointee.first_non_finite(n, x) == -1)
    for (place, bad) in [(n - 1, Float.infinity), (n * 2 / 3, .nan), (n / 3, -.infinity)] where n > 0 {
      x[place] = bad
      #expect(set.kernels.pointee.first_non_finite(n, x) == place)
      #expect(!set.kernels.pointee.sum_of_squares(n, x).isFinite)
    }
  }
}
