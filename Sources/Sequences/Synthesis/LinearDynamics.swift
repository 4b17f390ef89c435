import Glibc
import Random

/// A linear system with normal noise, in its stationary state: pairs of hidden numbers that turn and fade, and what
/// is seen of them.
///
///     x[0] = v[0],  x[t + 1] = damping R x[t] + sqrt(1 - damping²) v[t + 1],  y[t] = C x[t] + noise w[t]
///
/// R turns each pair by its angle; v and w are independent normal numbers of variance 1, and so is x[t] at every t.
package struct LinearDynamics: Sendable {
  /// By how much a hidden number fades at each step; 1: not at all, and nothing is added.
  package let damping: Double
  /// By which angle each pair turns at each step.
  package let angles: [Double]
  /// C: a row for each column that is seen.
  package let readout: [[Double]]
  /// The standard deviation of the noise of what is seen.
  package let noise: Double

  /// A system of these parts.
  package init(damping: Double, angles: [Double], readout: [[Double]], noise: Double) {
    self.damping = damping
    self.angles = angles
    self.readout = readout
    self.noise = noise
  }

  private var states: Int { 2 * angles.count }

  /// The variance that a step adds to each hidden number.
  private var innovation: Double { 1 - damping * damping }

  /// Turns and fades hidden numbers that lie `stride` apart.
  private func advance(_ x: inout [Double], from first: Int = 0, stride: Int = 1) {
    for (pair, angle) in angles.enumerated() {
      let (a, b) = (first + 2 * pair * stride, first + (2 * pair + 1) * stride)
      let (cosine, sine) = (damping * cos(angle), damping * sin(angle))
      (x[a], x[b]) = (cosine * x[a] - sine * x[b], sine * x[a] + cosine * x[b])
    }
  }

  /// Draws what is seen in `length` steps, all columns of a step side by side.
  func draw(_ length: Int, _ random: inout RandomStream) -> [Float] {
    var x = (0..<states).map { _ in random.normal() }
    var frames: [Float] = []
    for _ in 0..<length {
      for row in readout { frames.append(Float(product(row, x) + noise * random.normal())) }
      advance(&x)
      for state in x.indices { x[state] += innovation.squareRoot() * random.normal() }
    }
    return frames
  }

  /// What the Kalman filter (Kalman 1960) expects of each number that is seen, from all steps before: its mean and
  /// variance.
  ///
  /// - Parameters:
  ///   - frames: What is seen, as `draw` returns it.
  ///   - isSeen: Whether step t is seen; those that are not tell nothing.
  package func predictions(
    of frames: [Float], isSeen: (Int) -> Bool = { _ in true }
  ) -> [(mean: Double, variance: Double)] {
    var mean = [Double](repeating: 0, count: states)
    var covariance = (0..<states * states).map { $0 % (states + 1) == 0 ? 1.0 : 0 }
    var predictions: [(mean: Double, variance: Double)] = []
    for first in stride(from: 0, to: frames.count, by: readout.count) {
      for row in readout {
        predictions.append((product(row, mean), expectation(row, covariance).variance))
      }
      if isSeen(first / readout.count) {
        // One number after the other: their noise is independent.
        for (column, row) in readout.enumerated() {
          observe(Double(frames[first + column]), row, &mean, &covariance)
        }
      }
      advance(&mean)
      for state in 0..<states { advance(&covariance, from: state, stride: states) }
      for state in 0..<states { advance(&covariance, from: state * states) }
      for state in 0..<states { covariance[state * (states + 1)] += innovation }
    }
    return predictions
  }

  /// The covariance of the hidden numbers with a number that is seen through `row`, and the variance of that number.
  private func expectation(
    _ row: [Double], _ covariance: [Double]
  ) -> (spread: [Double], variance: Double) {
    let spread = (0..<states).map { product(row, covariance[$0 * states..<($0 + 1) * states]) }
    return (spread, product(row, spread) + noise * noise)
  }

  /// Takes a number that is seen through `row` into the filter's belief.
  private func observe(
    _ value: Double, _ row: [Double], _ mean: inout [Double], _ covariance: inout [Double]
  ) {
    let (spread, variance) = expectation(row, covariance)
    let error = value - product(row, mean)
    for state in 0..<states {
      mean[state] += spread[state] * error / variance
      for other in 0..<states {
        covariance[state * states + other] -= spread[state] * spread[other] / variance
      }
    }
  }
}

private func product(_ a: [Double], _ b: some Sequence<Double>) -> Double {
  zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}
