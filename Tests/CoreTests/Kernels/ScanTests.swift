import CKernels
import Glibc
import Testing

/// The numbers of a lane's scan by name, in Double: for equations.
private typealias Numbers = [String: [Double]]

/// A lane's scan by a kernel: the arrays that it reads and writes, and its equations.
private protocol LaneScan {
  /// Makes one of random numbers.
  init(steps: Int, channels: Int, states: Int, isReset: @escaping (Int) -> Bool)
  var steps: Int { get }
  /// What the outputs and the state that leaves depend on, by name.
  var arrays: [String: Floats] { get }
  /// "y" and "h", by the equations.
  func equations(_ numbers: Numbers) -> Numbers
  /// "y" and "h" by the kernel, in the rows' order or in reverse.
  func forward(_ set: InstructionSet, reverse: Bool) -> Numbers
  /// The gradient of each of the arrays from those of "y" and "h", after `forward`.
  func backward(_ set: InstructionSet, reverse: Bool, dy: [Float], dh: [Float]) -> Numbers
}

/// Floats that kernels read and write.
private final class Floats {
  let start: UnsafeMutablePointer<Float>
  let count: Int

  init(_ values: [Float]) {
    (start, count) = (.allocate(capacity: max(values.count, 1)), values.count)
    start.update(from: values, count: count)
  }

  deinit { start.deallocate() }

  var values: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
  var doubles: [Double] { values.map(Double.init) }
}

extension LaneScan {
  fileprivate var numbers: Numbers { arrays.mapValues(\.doubles) }
}

/// What the scans of a lane have in common.
private class LaneMemory {
  let steps: Int
  let channels: Int
  let states: Int
  let isReset: (Int) -> Bool
  /// What is read; "h" is the state that enters.
  let arrays: [String: Floats]
  let outputs: Floats
  let state: Floats
  private let resets: UnsafeMutablePointer<UInt8>
  private let kept: Floats

  /// Kernels keep one state in `block` steps.
  init(
    steps: Int, channels: Int, states: Int, isReset: @escaping (Int) -> Bool, block: Int,
    arrays: [String: Floats]
  ) {
    (self.steps, self.channels, self.states, self.isReset) = (steps, channels, states, isReset)
    self.arrays = arrays
    let width = arrays["h"]?.count ?? 0
    outputs = Floats([Float](repeating: .nan, count: steps * channels))
    kept = Floats([Float](repeating: .nan, count: (steps + block - 1) / block * width))
    state = Floats([Float](repeating: .nan, count: width))
    // As kernels read them.
    resets = .allocate(capacity: steps)
    for t in 0..<steps { resets[t] = isReset(t) ? 1 : 0 }
  }

  deinit { resets.deallocate() }

  subscript(name: String) -> Floats { arrays[name] ?? outputs }

  /// What kernels know of the lane, in the rows' order or in reverse.
  func scan(reverse: Bool) -> st_scan {
    st_scan(
      steps: steps, row_step: reverse ? -1 : 1, channels: channels, states: states,
      resets: resets + (reverse ? steps - 1 : 0), kept: kept.start, kept_step: state.count)
  }

  /// Begins with the state that enters.
  func enter() { state.start.update(from: self["h"].start, count: state.count) }
}

private final class SelectiveScan: LaneMemory, LaneScan {
  init(steps: Int, channels: Int, states: Int, isReset: @escaping (Int) -> Bool) {
    let arrays = [
      "v": Floats(CoreTests.numbers(steps * channels, seed: 1)),
      "logit": Floats(CoreTests.numbers(steps * channels, seed: 2).map { 2 * $0 - 1 }),
      "gate": Floats(CoreTests.numbers(steps * channels, seed: 3).map { 2 * $0 }),
      // B and C of each step.
      "bc": Floats(CoreTests.numbers(steps * 2 * states, seed: 4)),
      "decay": Floats(CoreTests.numbers(states * channels, seed: 5).map { $0 - 1.2 }),
      "skip": Floats(CoreTests.numbers(channels, seed: 6)),
      "h": Floats(CoreTests.numbers(states * channels, seed: 7)),
    ]
    super.init(
      steps: steps, channels: channels, states: states, isReset: isReset, block: 16, arrays: arrays)
  }

  func equations(_ numbers: Numbers) -> Numbers {
    func array(_ name: String) -> [Double] { numbers[name] ?? [] }
    let (v, logit, gate, bc) = (array("v"), array("logit"), array("gate"), array("bc"))
    let (decay, skip) = (array("decay"), array("skip"))
    var (h, y) = (array("h"), v)
    for t in 0..<steps {
      if isReset(t) { h = h.map { _ in 0 } }
      for e in 0..<channels {
        let at = t * channels + e
        let step = log1p(exp(logit[at]))
        var sum = skip[e] * v[at]
        for n in 0..<states {
          let b = bc[2 * t * states + n], c = bc[(2 * t + 1) * states + n]
          h[n * channels + e] = exp2(step * decay[n * channels + e]) * h[n * channels + e] + step * b * v[at]
          sum += c * h[n * channels + e]
        }
        y[at] = sum * gate[at] / (1 + exp(-gate[at]))
      }
    }
    return ["y": y, "h": h]
  }

  private func selectiveScan(reverse: Bool) -> st_selective_scan {
    let first = reverse ? steps - 1 : 0
    func row(_ name: String, _ width: Int) -> UnsafeMutablePointer<Float> {
      self[name].start + first * width
    }
    return st_selective_scan(
      scan: scan(reverse: reverse),
      inputs: row("v", channels), logits: row("logit", channels), gates: row("gate", channels),
      outputs: outputs.start + first * channels, gate_stride: channels, b: row("bc", 2 * states),
      c: row("bc", 2 * states) + states, matrix_stride: 2 * states, decay: self["decay"].start,
      skip: self["skip"].start)
  }

  func forward(_ set: InstructionSet, reverse: Bool) -> Numbers {
    enter()
    var scan = selectiveScan(reverse: reverse)
    set.kernels.pointee.selective_scan_forward(&scan, state.start)
    return ["y": outputs.doubles, "h": state.doubles]
  }

  func backward(_ set: InstructionSet, reverse: Bool, dy: [Float], dh: [Float]) -> Numbers {
    let (state, decay) = (Floats(dh), Floats([Float](repeating: 0, count: states * channels)))
    let skip = Floats([Float](repeating: 0, count: channels))
    let scratch = Floats([Float](repeating: .nan, count: 2 * 16 * states * 16))
    outputs.start.update(from: dy, count: dy.count)
    var scan = selectiveScan(reverse: reverse)
    set.kernels.pointee.selective_scan_backward(&scan, state.start, decay.start, skip.start, scratch.start)
    return [
      "v": outputs.doubles, "logit": self["logit"].doubles, "gate": self["gate"].doubles,
      "bc": self["bc"].doubles, "decay": decay.doubles.map { $0 * log(2) }, "skip": skip.doubles,
      "h": state.doubles,
    ]
  }
}

private final class DiagonalScan: LaneMemory, LaneScan {
  init(steps: Int, channels: Int, states: Int, isReset: @escaping (Int) -> Bool) {
    let arrays = [
      "x": Floats(CoreTests.numbers(steps * channels, seed: 1)),
      "system": Floats(CoreTests.numbers(6 * states * channels, seed: 2).map { 0.6 * $0 }),
      "skip": Floats(CoreTests.numbers(channels, seed: 3)),
      "h": Floats(CoreTests.numbers(2 * states * channels, seed: 4)),
    ]
    super.init(
      steps: steps, channels: channels, states: states, isReset: isReset, block: 64, arrays: arrays)
  }

  func equations(_ numbers: Numbers) -> Numbers {
    func array(_ name: String) -> [Double] { numbers[name] ?? [] }
    let (x, system, skip, plane) = (array("x"), array("system"), array("skip"), states * channels)
    var (h, y) = (array("h"), x)
    for t in 0..<steps {
      if isReset(t) { h = h.map { _ in 0 } }
      for c in 0..<channels {
        let input = x[t * channels + c]
        var sum = skip[c] * input
        for i in stride(from: c, to: plane, by: channels) {
          let w = (0..<6).map { system[$0 * plane + i] }
          (h[i], h[plane + i]) = (
            w[0] * h[i] - w[1] * h[plane + i] + w[2] * input, w[0] * h[plane + i] + w[1] * h[i] + w[3] * input
          )
          sum += w[4] * h[i] - w[5] * h[plane + i]
        }
        y[t * channels + c] = sum
      }
    }
    return ["y": y, "h": h]
  }

  private func diagonalScan(reverse: Bool) -> st_diagonal_scan {
    let first = reverse ? steps - 1 : 0
    return st_diagonal_scan(
      scan: scan(reverse: reverse),
      inputs: self["x"].start + first * channels, system: self["system"].start, skip: self["skip"].start)
  }

  func forward(_ set: InstructionSet, reverse: Bool) -> Numbers {
    enter()
    var scan = diagonalScan(reverse: reverse)
    set.kernels.pointee.diagonal_scan_forward(
      &scan, state.start, outputs.start + (reverse ? (steps - 1) * channels : 0))
    return ["y": outputs.doubles, "h": state.doubles]
  }

  func backward(_ set: InstructionSet, reverse: Bool, dy: [Float], dh: [Float]) -> Numbers {
    let (state, system) = (Floats(dh), Floats([Float](repeating: 0, count: 6 * states * channels)))
    let (skip, dy) = (Floats([Float](repeating: 0, count: channels)), Floats(dy))
    let first = reverse ? (steps - 1) * channels : 0
    var scan = diagonalScan(reverse: reverse)
    set.kernels.pointee.diagonal_scan_backward(
      &scan, dy.start + first, state.start, system.start, skip.start, outputs.start + first)
    return [
      "x": outputs.doubles, "system": system.doubles, "skip": skip.doubles, "h": state.doubles,
    ]
  }
}

/// The scans of one lane against their equations in Double.
@Suite struct ScanTests {
  /// Less than a block of steps and a vector of channels, some and a rest, and whole ones.
  static let sizes = [
    (steps: 1, channels: 1, states: 1), (steps: 37, channels: 21, states: 7),
    (steps: 128, channels: 32, states: 4), (steps: 70, channels: 3, states: 2),
  ]

  @Test(arguments: InstructionSet.all, sizes)
  func `a selective scan and its gradient follow the equations`(
    _ set: InstructionSet, _ size: (steps: Int, channels: Int, states: Int)
  ) {
    expectEquations(SelectiveScan.self, set, size)
  }

  @Test(arguments: InstructionSet.all, sizes)
  func `a scan of diagonal systems and its gradient follow the equations`(
    _ set: InstructionSet, _ size: (steps: Int, channels: Int, states: Int)
  ) {
    expectEquations(DiagonalScan.self, set, size)
  }

  private func expectEquations<Scan: LaneScan>(
    _ kind: Scan.Type, _ set: InstructionSet, _ size: (steps: Int, channels: Int, states: Int)
  ) {
    func make() -> Scan {
      Scan(steps: size.steps, channels: size.channels, states: size.states) { $0 == 5 || $0 == 6 || $0 == 33 }
    }
    let scan = make()
    let numbers = scan.numbers
    let expected = scan.equations(numbers)
    let found = scan.forward(set, reverse: false)
    for name in ["y", "h"] {
      expectAgreement(
        (found[name] ?? []).map { Float($0) }, expected[name] ?? [], tolerance: 2e-6, scale: 1, name)
    }

    let (dy, dh) = (
      CoreTests.numbers(expected["y"]?.count ?? 0, seed: 21),
      CoreTests.numbers(expected["h"]?.count ?? 0, seed: 22)
    )
    let gradients = scan.backward(set, reverse: false, dy: dy, dh: dh)
    /// What the gradients are those of.
    func value(_ numbers: Numbers) -> Double {
      let result = scan.equations(numbers)
      return zip(result["y"] ?? [], dy).reduce(0) { $0 + $1.0 * Double($1.1) }
        + zip(result["h"] ?? [], dh).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    // Along random directions, one array at a time.
    for (name, values) in numbers {
      for seed in 30..<33 {
        let direction = CoreTests.numbers(values.count, seed: UInt64(seed)).map(Double.init)
        func moved(_ step: Double) -> Double {
          var numbers = numbers
          numbers[name] = zip(values, direction).map { $0 + step * $1 }
          return value(numbers)
        }
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
        let products = zip(gradients[name] ?? [], direction).map { $0 * $1 }
        let size = products.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(products.reduce(0, +) - slope) <= 1e-5 * max(1, size), "gradient of \(name)")
      }
    }
  }

  @Test(arguments: InstructionSet.all)
  func `a scan back in time is one of the reversed rows`(_ set: InstructionSet) {
    expectReversible(SelectiveScan.self, set, widths: ["v": 9, "logit": 9, "gate": 9, "bc": 10])
    expectReversible(DiagonalScan.self, set, widths: ["x": 9])
  }

  private func expectReversible<Scan: LaneScan>(
    _ kind: Scan.Type, _ set: InstructionSet, widths: [String: Int]
  ) {
    let steps = 50
    func reversed(_ values: [Double], _ width: Int?) -> [Double] {
      guard let width else { return values }
      return (0..<steps).reversed().flatMap { values[$0 * width..<($0 + 1) * width] }
    }
    let back = Scan(steps: steps, channels: 9, states: 5) { $0 == 20 }
    let forth = Scan(steps: steps, channels: 9, states: 5) { $0 == steps - 1 - 20 }
    for (name, array) in forth.arrays {
      let values = reversed(array.doubles, widths[name]).map { Float($0) }
      array.start.update(from: values, count: values.count)
    }
    let (found, expected) = (back.forward(set, reverse: true), forth.forward(set, reverse: false))
    #expect(reversed(found["y"] ?? [], 9) == expected["y"] && found["h"] == expected["h"])
    let dy = CoreTests.numbers(9 * steps, seed: 8)
    let dh = CoreTests.numbers(found["h"]?.count ?? 0, seed: 9)
    let turned = reversed(dy.map(Double.init), 9).map { Float($0) }
    let gradients = back.backward(set, reverse: true, dy: dy, dh: dh)
    for (name, expected) in forth.backward(set, reverse: false, dy: turned, dh: dh) {
      #expect(reversed(gradients[name] ?? [], widths[name]) == expected, "gradient of \(name)")
    }
  }

  /// The states are zero but one, so that what is left of it is the factor.
  @Test(arguments: InstructionSet.all)
  func `the factor that keeps a state is within 1e-6`(_ set: InstructionSet) {
    let scan = SelectiveScan(steps: 1, channels: 4000, states: 1) { _ in false }
    for e in 0..<4000 {
      scan.arrays["logit"]?.start[e] = Float(e) * 0.01 - 20
      scan.arrays["decay"]?.start[e] = -0.3 - Float(e % 7)
      scan.arrays["v"]?.start[e] = 0
      scan.arrays["h"]?.start[e] = 1
    }
    let expected = scan.equations(scan.numbers)["h"] ?? []
    for (found, expected) in zip(scan.forward(set, reverse: false)["h"] ?? [], expected) {
      // The exponent itself is rounded.
      let bound = 2e-7 + 3e-7 * abs(log(expected))
      #expect(abs(found - expected) <= bound * expected + 2e-38)
    }
  }

  @Test(arguments: InstructionSet.all)
  func `scans of a million steps stay by their equations`(_ set: InstructionSet) {
    expectStable(SelectiveScan(steps: 4000, channels: 3, states: 2) { _ in false }, set, tolerance: 1e-5)
    let system = DiagonalScan(steps: 4000, channels: 3, states: 2) { _ in false }
    // Turning slowly, and losing a thousandth a step.
    for i in 0..<6 {
      system.arrays["system"]?.start[i] = 0.999 * cos(0.01 * Float(i))
      system.arrays["system"]?.start[6 + i] = 0.999 * sin(0.01 * Float(i))
    }
    expectStable(system, set, tolerance: 1e-4)
  }

  private func expectStable(_ scan: some LaneScan, _ set: InstructionSet, tolerance: Double) {
    var numbers = scan.numbers
    scan.arrays["logit"].map { array in
      for i in 0..<array.count { array.start[i] -= 5 }
      numbers["logit"] = array.doubles
    }
    var worst = 0.0
    for _ in 0..<1_000_000 / scan.steps {
      let (found, expected) = (scan.forward(set, reverse: false), scan.equations(numbers))
      for name in ["y", "h"] {
        let (found, expected) = (found[name] ?? [.nan], expected[name] ?? [])
        let scale = expected.reduce(1e-3) { max($0, abs($1)) }
        worst = max(worst, zip(found, expected).map { abs($0 - $1) / scale }.max() ?? .nan)
      }
      numbers["h"] = expected["h"]
      found["h"].map { state in
        scan.arrays["h"]?.start.update(from: state.map { Float($0) }, count: state.count)
      }
    }
    #expect(worst < tolerance)
  }

  @Test(arguments: InstructionSet.all, [Float(1e4), -1e4, 0x1p-133, -0x1p-133])
  func `a selective scan of extreme numbers stays finite`(_ set: InstructionSet, _ extreme: Float) {
    for name in ["v", "logit", "gate", "bc"] {
      let scan = SelectiveScan(steps: 40, channels: 20, states: 3) { _ in false }
      scan.arrays[name].map { array in for i in 0..<array.count { array.start[i] = extreme } }
      let found = scan.forward(set, reverse: false)
      #expect(
        found["y"]?.allSatisfy(\.isFinite) == true && found["h"]?.allSatisfy(\.isFinite) == true, "\(name)")
      let (dy, dh) = (CoreTests.numbers(40 * 20, seed: 1), CoreTests.numbers(60, seed: 2))
      let gradients = scan.backward(set, reverse: false, dy: dy, dh: dh)
      #expect(gradients.values.allSatisfy { $0.allSatisfy(\.isFinite) }, "\(name)")
    }
  }
}
