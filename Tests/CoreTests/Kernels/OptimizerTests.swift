import CKernels
import Testing

@Suite struct OptimizerTests {
  @Test(arguments: InstructionSet.all, [(0.0, false), (0.9, false), (0.9, true)])
  func `SGD is PyTorch's`(_ set: InstructionSet, _ kind: (momentum: Double, nesterov: Bool)) {
    let n = 37, rate = 0.1, decay = 0.01, scale = 0.5
    var w = numbers(n, seed: 1), v = [Float](repeating: .nan, count: n)
    var expected = w.map(Double.init), velocity = [Double](repeating: 0, count: n)
    for step in 0..<3 {
      let g = numbers(n, seed: UInt64(10 + step))
      set.kernels.pointee.sgd(
        n, &w, g, &v, Float(scale), Float(rate), Float(kind.momentum), kind.nesterov, step == 0, Float(decay))
      for i in 0..<n {
        let gradient = scale * Double(g[i])
        velocity[i] = step == 0 ? gradient : kind.momentum * velocity[i] + gradient
        let direction = kind.nesterov ? gradient + kind.momentum * velocity[i] : velocity[i]
        expected[i] = expected[i] * (1 - rate * decay) - rate * (kind.momentum == 0 ? gradient : direction)
      }
    }
    for i in 0..<n { #expect(abs(Double(w[i]) - expected[i]) < 1e-6) }
  }

  /// The square of 1e20 is infinite: it counts as the largest number, and decays.
  @Test(arguments: InstructionSet.all)
  func `Adam goes on after a square that overflows`(_ set: InstructionSet) {
    let beta1 = Double(Float(0.9)), beta2 = Double(Float(0.999)),
      largest = Double(Float.greatestFiniteMagnitude)
    var w = [Float](repeating: 1, count: 3), m = [Float](repeating: 0, count: 3), v = m
    var expected = 1.0, first = 0.0, second = 0.0, power1 = 1.0, power2 = 1.0
    for step in 0..<3 {
      let gradient = step == 0 ? Float(1e20) : 1
      power1 *= beta1
      power2 *= beta2
      set.kernels.pointee.adam(
        3, &w, [gradient, 1, -gradient], &m, &v, 1, 0.01, Float(beta1), Float(beta2), 1e-8, 0,
        Float(1 - power1), Float(1 - power2))
      first = beta1 * first + (1 - beta1) * Double(gradient)
      second = step == 0 ? largest : beta2 * second + 1 - beta2
      expected -= 0.01 * first / (1 - power1) / (second / (1 - power2)).squareRoot()
      #expect(abs(Double(w[0]) - expected) < 1e-6 && abs(Double(w[2]) - 2 + expected) < 1e-6, "\(step): \(w)")
      #expect(abs(Double(w[1]) - 1 + 0.01 * Double(step + 1)) < 1e-6 && v.allSatisfy(\.isFinite))
    }
    #expect(expected < 0.999)
  }

  @Test(arguments: InstructionSet.all, [0.0, 0.1])
  func `Adam is the paper's, with decoupled decay`(_ set: InstructionSet, _ decay: Double) {
    let n = 37, rate = 0.01, scale = 0.25, epsilon = 1e-8
    let beta1 = Double(Float(0.9)), beta2 = Double(Float(0.999))
    var w = numbers(n, seed: 1), m = [Float](repeating: 0, count: n), v = m
    var expected = w.map(Double.init), first = [Double](repeating: 0, count: n), second = first
    var power1 = 1.0, power2 = 1.0
    for step in 0..<4 {
      var g = numbers(n, seed: UInt64(20 + step))
      g[3] = 0
      power1 *= beta1
      power2 *= beta2
      set.kernels.pointee.adam(
        n, &w, g, &m, &v, Float(scale), Float(rate), Float(beta1), Float(beta2), Float(epsilon), Float(decay),
        Float(1 - power1), Float(1 - power2))
      for i in 0..<n {
        let gradient = scale * Double(g[i])
        first[i] = beta1 * first[i] + (1 - beta1) * gradient
        second[i] = beta2 * second[i] + (1 - beta2) * gradient * gradient
        expected[i] *= 1 - rate * decay
        expected[i] -= rate * first[i] / (1 - power1) / ((second[i] / (1 - power2)).squareRoot() + epsilon)
      }
    }
    for i in 0..<n { #expect(abs(Double(w[i]) - expected[i]) < 1e-6) }
  }
}
