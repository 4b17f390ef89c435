import CKernels
import Glibc
import Testing

/// The time steps of minGRU, minLSTM and the linear recurrent unit.
@Suite struct LinearRecurrenceTests {
  /// Lanes and units: less than a vector, vectors and a rest, and whole vectors only.
  static let sizes = [(lanes: 1, hidden: 1), (lanes: 3, hidden: 21), (lanes: 2, hidden: 64)]

  /// A step of a minimal recurrence for one unit, in Double: the sums of its gates, z or f and i, and of its candidate.
  private struct Unit {
    var sums: [Double]
    var before: Double
    let positive: Bool

    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    var share: Double {
      guard sums.count == 3 else { return sigmoid(sums[0]) }
      // softplus(-f) - softplus(-i)
      let d = [sums[0], sums[1]].map { max(-$0, 0) + log1p(exp(-abs($0))) }
      return sigmoid(d[0] - d[1])
    }

    var candidate: Double {
      let c = sums[sums.count - 1]
      return positive ? (c >= 0 ? c + 0.5 : sigmoid(c)) : c
    }

    var value: Double { (1 - share) * before + share * candidate }

    /// The slope of the value by a sum, or by the state before for nil.
    func slope(_ index: Int?) -> Double {
      func moved(_ step: Double) -> Double {
        var unit = self
        if let index { unit.sums[index] += step } else { unit.before += step }
        return unit.value
      }
      return (moved(1e-6) - moved(-1e-6)) / 2e-6
    }
  }

  @Test(arguments: product(InstructionSet.all, sizes), product([2, 3], [false, true]))
  func `a step of a minimal recurrence and its gradient follow the equations`(
    _ place: (InstructionSet, (lanes: Int, hidden: Int)), _ kind: (sums: Int, positive: Bool)
  ) {
    let (set, (lanes, hidden)) = place
    let (count, positive) = kind
    let kernels = set.kernels.pointee
    let table = numbers(5 * count * hidden, seed: 1).map { 4 * $0 }
    let index = (0..<lanes).map { Int32($0 * 3 % 5) }
    let before = numbers(lanes * hidden, seed: 2), dh = numbers(lanes * hidden, seed: 3)
    let later = numbers(lanes * hidden, seed: 4)
    var (h, dstate) = (before, later)
    var gates = [Float](repeating: 0, count: lanes * count * hidden)
    kernels.minimal_forward(lanes, hidden, count - 1, table, index, before, positive, &h)
    kernels.minimal_backward(lanes, hidden, count - 1, table, index, dh, before, positive, &gates, &dstate)
    for lane in 0..<lanes {
      for j in 0..<hidden {
        let at = lane * hidden + j
        let unit = Unit(
          sums: (0..<count).map { Double(table[(Int(index[lane]) * count + $0) * hidden + j]) },
          before: Double(before[at]), positive: positive)
        let d = Double(dh[at]) + Double(later[at])
        #expect(abs(Double(h[at]) - unit.value) < 1e-6)
        #expect(abs(Double(dstate[at]) - d * unit.slope(nil)) < 1e-6)
        for k in 0..<count {
          #expect(abs(Double(gates[(lane * count + k) * hidden + j]) - d * unit.slope(k)) < 2e-6)
        }
      }
    }
  }

  @Test(arguments: InstructionSet.all, product([2, 3], [false, true]))
  func `extreme sums keep minimal recurrences finite, and NaN stays one`(
    _ set: InstructionSet, _ kind: (sums: Int, positive: Bool)
  ) {
    let kernels = set.kernels.pointee
    let values: [Float] = [-1e4, -90, -1e-3, -0x1p-140, 0, 0x1p-140, 0.5, 90, 1e4]
    for gates in product(values, values) {
      for c in values {
        let sums = kind.sums == 2 ? [gates.0, c] : [gates.0, gates.1, c]
        var h: [Float] = [0], (slopes, dstate): ([Float], [Float]) = (sums, [1])
        kernels.minimal_forward(1, 1, kind.sums - 1, sums, nil, [-3], kind.positive, &h)
        kernels.minimal_backward(1, 1, kind.sums - 1, sums, nil, [1], [-3], kind.positive, &slopes, &dstate)
        let unit = Unit(sums: sums.map(Double.init), before: -3, positive: kind.positive)
        #expect(abs(Double(h[0]) - unit.value) <= 1e-6 * max(1, abs(unit.value)), "\(sums)")
        #expect(slopes.allSatisfy(\.isFinite) && dstate[0] >= 0 && dstate[0] <= 2, "\(sums)")
      }
    }
    for place in 0..<kind.sums {
      var (sums, h): ([Float], [Float]) = ([Float](repeating: 1, count: kind.sums), [0])
      sums[place] = .nan
      kernels.minimal_forward(1, 1, kind.sums - 1, sums, nil, [0.5], kind.positive, &h)
      #expect(h[0].isNaN, "sum \(place)")
    }
  }

  @Test(arguments: InstructionSet.all, sizes)
  func `a step of the linear recurrent unit and its gradient follow the equations`(
    _ set: InstructionSet, _ size: (lanes: Int, hidden: Int)
  ) {
    let (lanes, n) = size
    let system = numbers(3 * n, seed: 1), before = numbers(2 * lanes * n, seed: 2)
    let inputs = numbers(2 * lanes * n, seed: 3),
      (dsOwn, later) = (numbers(2 * lanes * n, seed: 4), numbers(2 * lanes * n, seed: 5))
    var (s, ds, dstate) = (inputs, dsOwn, later)
    var sums = numbers(3 * n, seed: 6)
    let sumsBefore = sums
    set.kernels.pointee.lru_forward(lanes, n, system, before, &s)
    set.kernels.pointee.lru_backward(lanes, n, system, before, s, &ds, &dstate, &sums)
    for j in 0..<n {
      let (re, im, gamma) = (Double(system[j]), Double(system[n + j]), Double(system[2 * n + j]))
      var expected = [Double](repeating: 0, count: 3)
      for lane in 0..<lanes {
        let (p, q) = (2 * lane * n + j, (2 * lane + 1) * n + j)
        // s = lambda s + gamma u, with the planes Re s and -Im s
        let (x, y) = (Double(before[p]), -Double(before[q]))
        let (u, v) = (gamma * Double(inputs[p]), gamma * Double(inputs[q]))
        #expect(abs(Double(s[p]) - (re * x - im * y + u)) < 1e-6)
        #expect(abs(Double(s[q]) + (re * y + im * x + v)) < 1e-6)
        let (dx, dy) = (Double(dsOwn[p]) + Double(later[p]), -(Double(dsOwn[q]) + Double(later[q])))
        #expect(abs(Double(ds[p]) - gamma * dx) < 1e-6 && abs(Double(ds[q]) - gamma * dy) < 1e-6)
        #expect(abs(Double(dstate[p]) - (dx * re + dy * im)) < 1e-6)
        #expect(abs(Double(dstate[q]) + (dy * re - dx * im)) < 1e-6)
        expected[0] += dx * x + dy * y
        expected[1] += dy * x - dx * y
        expected[2] += dx * u + dy * v
      }
      for part in 0..<3 {
        #expect(abs(Double(sums[part * n + j]) - Double(sumsBefore[part * n + j]) - expected[part]) < 3e-6)
      }
    }
  }

  /// Errors of a step are at most a rounding; what the state keeps of them decays as the state does.
  @Test(arguments: [2, 3])
  func `minimal recurrences don't drift over a million steps`(_ count: Int) {
    let kernels = InstructionSet.all[InstructionSet.all.count - 1].kernels.pointee
    let units = 16
    var (h, exact) = ([Float](repeating: 0, count: units), [Double](repeating: 0, count: units))
    var worst = 0.0
    for step in 0..<1_000_000 / 1000 {
      // Long memory: shares about exp(-10).
      let sums = numbers(1000 * count * units, seed: UInt64(step)).enumerated().map { i, value in
        switch i / units % count {
        case count - 1: value
        case 0 where count == 3: value + 10
        default: value * 2 - (count == 3 ? 0 : 10)
        }
      }
      for t in 0..<1000 {
        let row = Array(sums[t * count * units..<(t + 1) * count * units])
        let before = h
        kernels.minimal_forward(1, units, count - 1, row, nil, before, false, &h)
        for j in 0..<units {
          let unit = Unit(
            sums: (0..<count).map { Double(row[$0 * units + j]) }, before: exact[j], positive: false)
          let share = unit.share
          exact[j] = (1 - share) * exact[j] + share * unit.candidate
        }
      }
      for j in 0..<units { worst = max(worst, abs(Double(h[j]) - exact[j])) }
    }
    // Of states of about 0.01.
    #expect(worst < 1e-5, "\(worst)")
    #expect(exact.contains { abs($0) > 1e-3 })
  }

  @Test func `the linear recurrent unit doesn't drift over a million steps`() {
    let kernels = InstructionSet.all[InstructionSet.all.count - 1].kernels
    let n = 16
    // Sizes up to 1 - 1e-5, with all phases.
    let system = (0..<n).map { j -> (Double, Double, Double) in
      let (radius, phase) = (1 - pow(10, -1 - Double(j) / 4), Double(j) * 0.4)
      return (radius * cos(phase), radius * sin(phase), (1 - radius * radius).squareRoot())
    }
    let planes = [system.map { Float($0.0) }, system.map { Float($0.1) }, system.map { Float($0.2) }].flatMap
    { $0 }
    let lambda = (0..<n).map { (Double(planes[$0]), Double(planes[n + $0]), Double(planes[2 * n + $0])) }
    var before = [Float](repeating: 0, count: 2 * n)
    var exact = [(Double, Double)](repeating: (0, 0), count: n)
    var (worst, largest) = (0.0, 0.0)
    for block in 0..<1000 {
      let inputs = numbers(1000 * 2 * n, seed: UInt64(block))
      for t in 0..<1000 {
        var s = Array(inputs[t * 2 * n..<(t + 1) * 2 * n])
        for j in 0..<n {
          let ((re, im, gamma), (x, y)) = (lambda[j], exact[j])
          exact[j] = (re * x - im * y + gamma * Double(s[j]), re * y + im * x + gamma * Double(s[n + j]))
        }
        kernels.pointee.lru_forward(1, n, planes, before, &s)
        before = s
      }
      for j in 0..<n {
        worst = max(worst, abs(Double(before[j]) - exact[j].0), abs(Double(before[n + j]) + exact[j].1))
        largest = max(largest, abs(exact[j].0))
      }
    }
    #expect(worst < 1e-4 * largest, "\(worst) of \(largest)")
  }

  @Test(arguments: InstructionSet.all, [1, 16, 21])
  func `gated linear units, scaled columns and their gradients follow the equations`(
    _ set: InstructionSet, _ n: Int
  ) {
    let x = numbers(3 * 2 * n, seed: 1).map { 5 * $0 }, dy = numbers(3 * n, seed: 2), d = numbers(n, seed: 3)
    var (y, dx, scaled) = (dy, x, dy)
    set.kernels.pointee.glu_forward(3, n, x, &y)
    set.kernels.pointee.glu_backward(3, n, dx, dy, &dx)
    set.kernels.pointee.scale_columns(3, n, d, dy, true, &scaled)
    for r in 0..<3 {
      for j in 0..<n {
        let (at, left, right) = (r * n + j, 2 * r * n + j, (2 * r + 1) * n + j)
        let (u, s, g) = (Double(x[left]), 1 / (1 + exp(-Double(x[right]))), Double(dy[at]))
        #expect(abs(Double(y[at]) - u * s) < 3e-6)
        #expect(abs(Double(dx[left]) - g * s) < 1e-6 && abs(Double(dx[right]) - g * u * s * (1 - s)) < 3e-6)
        #expect(abs(Double(scaled[at]) - g * (1 + Double(d[j]))) < 1e-6)
      }
    }
    set.kernels.pointee.scale_columns(3, n, d, dy, false, &scaled)
    #expect(zip(scaled, dy).enumerated().allSatisfy { i, pair in pair.0 == pair.1 * d[i % n] })
  }
}
