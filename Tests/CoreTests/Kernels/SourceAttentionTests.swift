import CKernels
import Glibc
import Testing

/// The kernels of attention over sources against the equations in Double, over every remainder of their blocks.
@Suite struct SourceAttentionTests {
  /// Steps, lanes, width, and the room for source positions.
  struct Sizes: Sendable, CustomTestStringConvertible {
    let steps: Int
    let width: Int
    let lanes = 3
    let room = 11
    /// The second lane has no source.
    let lengths: [Int32] = [9, 0, 4]
    var testDescription: String { "\(steps) steps of \(width)" }

    func row(_ t: Int, _ b: Int) -> Int { t * lanes + b }
  }

  static let sizes = [1, 3, 4, 9].flatMap { steps in
    [1, 5, 16, 37, 64, 150].map { Sizes(steps: steps, width: $0) }
  }

  private func expectClose(_ a: [Float], _ b: [Double], _ what: String) {
    for i in a.indices { #expect(abs(Double(a[i]) - b[i]) <= 2e-5 * max(1, abs(b[i])), "\(what) \(i)") }
  }

  @Test(arguments: InstructionSet.all, sizes)
  func `products with the source and sums over it follow the equations`(_ set: InstructionSet, _ n: Sizes) {
    let (q, k) = (numbers(n.steps * n.lanes * n.width, seed: 1), numbers(n.room * n.lanes * n.width, seed: 2))
    let old = numbers(n.steps * n.lanes * n.room, seed: 3)
    var a = old
    set.kernels.pointee.source_products(n.steps, n.lanes, n.width, n.lengths, q, k, &a, n.room)
    var (sums, added, source) = (q, q, k)
    set.kernels.pointee.source_sums(n.steps, n.lanes, n.width, n.lengths, old, n.room, k, &sums, false)
    set.kernels.pointee.source_sums(n.steps, n.lanes, n.width, n.lengths, old, n.room, k, &added, true)
    set.kernels.pointee.add_to_source(n.steps, n.lanes, n.width, n.lengths, old, n.room, q, &source)

    var expected = old.map(Double.init)
    var (expectedSums, expectedSource) = (q.map { _ in 0.0 }, k.map(Double.init))
    for t in 0..<n.steps {
      for b in 0..<n.lanes {
        for s in 0..<Int(n.lengths[b]) {
          let at = n.row(t, b) * n.room + s
          expected[at] = 0
          for j in 0..<n.width {
            let (query, key) = (n.row(t, b) * n.width + j, n.row(s, b) * n.width + j)
            expected[at] += Double(q[query]) * Double(k[key])
            expectedSums[query] += Double(old[at]) * Double(k[key])
            expectedSource[key] += Double(old[at]) * Double(q[query])
          }
        }
      }
    }
    expectClose(a, expected, "product")
    expectClose(sums, expectedSums, "sum")
    expectClose(added, zip(expectedSums, q).map { $0 + Double($1) }, "added")
    expectClose(source, expectedSource, "source")
  }

  @Test(arguments: InstructionSet.all, sizes)
  func `additive scores and their gradients follow the equations`(_ set: InstructionSet, _ n: Sizes) {
    let (q, k) = (numbers(n.steps * n.lanes * n.width, seed: 1), numbers(n.room * n.lanes * n.width, seed: 2))
    let (v, da) = (numbers(n.width, seed: 3), numbers(n.steps * n.lanes * n.room, seed: 4))
    var (a, dq, dk, dv) = (da, q, k, numbers(n.lanes * n.width, seed: 5))
    var (expected, dqs, dks, dvs) = (
      da.map(Double.init), q.map { _ in 0.0 }, k.map(Double.init), dv.map(Double.init)
    )
    set.kernels.pointee.additive_scores(n.steps, n.lanes, n.width, n.lengths, q, k, v, &a, n.room)
    set.kernels.pointee.additive_scores_backward(
      n.steps, n.lanes, n.width, n.lengths, q, k, v, da, n.room, &dq, &dk, &dv)
    for t in 0..<n.steps {
      for b in 0..<n.lanes {
        for s in 0..<Int(n.lengths[b]) {
          let at = n.row(t, b) * n.room + s
          expected[at] = 0
          for j in 0..<n.width {
            let (query, key) = (n.row(t, b) * n.width + j, n.row(s, b) * n.width + j)
            let u = tanh(Double(q[query]) + Double(k[key]))
            expected[at] += Double(v[j]) * u
            let slope = Double(da[at]) * Double(v[j]) * (1 - u * u)
            dqs[query] += slope
            dks[key] += slope
            dvs[b * n.width + j] += Double(da[at]) * u
          }
        }
      }
    }
    expectClose(a, expected, "score")
    expectClose(dq, dqs, "dq")
    expectClose(dk, dks, "dk")
    expectClose(dv, dvs, "dv")
  }

  @Test(arguments: InstructionSet.all)
  func `the softmax over a source and its gradient follow the equations, and keep NaN`(_ set: InstructionSet)
  {
    let n = Sizes(steps: 3, width: 1)
    var x = numbers(n.steps * n.lanes * n.room, seed: 1).map { 20 * $0 }
    x[n.row(2, 2) * n.room] = .nan
    let dy = numbers(x.count, seed: 2)
    var (a, da) = (x, dy)
    set.kernels.pointee.source_softmax(n.steps, n.lanes, n.lengths, 0.7, &a, n.room)
    set.kernels.pointee.source_softmax_backward(n.steps, n.lanes, n.lengths, 0.7, a, &da, n.room)
    for t in 0..<n.steps {
      for b in 0..<n.lanes {
        let first = n.row(t, b) * n.room
        let length = Int(n.lengths[b])
        if t == 2 && b == 2 {
          #expect(a[first..<first + length].allSatisfy { $0.isNaN })
          continue
        }
        let e = x[first..<first + length].map { exp(0.7 * Double($0)) }
        let p = e.map { $0 / e.reduce(0, +) }
        let mean = zip(p, dy[first...]).reduce(0) { $0 + $1.0 * Double($1.1) }
        for s in 0..<n.room {
          #expect(abs(Double(a[first + s]) - (s < length ? p[s] : 0)) < 1e-6)
          let slope = s < length ? 0.7 * p[s] * (Double(dy[first + s]) - mean) : Double(dy[first + s])
          #expect(abs(Double(da[first + s]) - slope) < 1e-6)
        }
      }
    }
  }

  @Test(arguments: InstructionSet.all, [1, 16, 21])
  func `rows at length one and their gradient follow the equations, zeros stay zero`(
    _ set: InstructionSet, _ n: Int
  ) {
    let x = numbers(2 * n, seed: 1) + [Float](repeating: 0, count: n), dy = numbers(3 * n, seed: 2)
    var (y, dx, inverse, products) = (x, dy, [Float](repeating: 0, count: 3), [Float](repeating: 0, count: 3))
    set.kernels.pointee.unit_rows_forward(3, n, x, 1e-12, &inverse, &y)
    set.kernels.pointee.row_products(3, n, y, dy, &products)
    set.kernels.pointee.unit_rows_backward(3, n, dx, y, inverse, &dx)
    for r in 0..<2 {
      let row = x[r * n..<(r + 1) * n].map(Double.init)
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let along = zip(row, dy[(r * n)...]).reduce(0) { $0 + $1.0 / length * Double($1.1) }
      #expect(abs(Double(products[r]) - along) < 1e-5)
      for j in 0..<n {
        #expect(abs(Double(y[r * n + j]) - row[j] / length) < 1e-6)
        let slope = (Double(dy[r * n + j]) - along * row[j] / length) / length
        #expect(abs(Double(dx[r * n + j]) - slope) < 2e-5 * max(1, 1 / length))
      }
    }
    #expect(y[(2 * n)...].allSatisfy { $0 == 0 } && dx[(2 * n)...].allSatisfy { $0.isFinite })
  }

  @Test(arguments: InstructionSet.all)
  func `tanh and its gradient follow the equations over their whole range`(_ set: InstructionSet) {
    let x = (-1500...1500).map { Float($0) * 0.0071 } + [.nan], dy = numbers(x.count, seed: 1)
    var (y, dx) = (x, x)
    set.kernels.pointee.tanh_forward(x.count, x, &y)
    set.kernels.pointee.tanh_backward(x.count, y, dy, &dx)
    for i in x.indices.dropLast() {
      let t = tanh(Double(x[i]))
      #expect(abs(Double(y[i]) - t) <= 3e-7 * abs(t), "\(x[i])")
      #expect(abs(Double(dx[i]) - Double(dy[i]) * (1 - t * t)) <= 1e-6, "\(x[i])")
    }
    #expect(y[x.count - 1].isNaN && dx[x.count - 1].isNaN)
  }
}
