import Glibc
import Testing
import Training

@Suite struct ScheduledSamplingTests {
  private func shares(_ decay: SamplingDecay, limit: Double = 1, at steps: [Int]) -> [Double] {
    var configuration = SamplingConfiguration()
    (configuration.decay, configuration.steps, configuration.limit) = (decay, 100, limit)
    return steps.map { configuration.share(step: $0) }
  }

  private func expectClose(_ found: [Double], _ expected: [Double]) {
    #expect(
      found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 },
      "expected \(expected), found \(found)")
  }

  @Test func `the share of drawn inputs grows as the true ones decay`() {
    expectClose(shares(.none, at: [1, 1000]), [0, 0])
    expectClose(shares(.linear, at: [1, 26, 101, 500]), [0, 0.25, 1, 1])
    expectClose(shares(.linear, limit: 0.5, at: [1, 26, 101]), [0, 0.25, 0.5])
    expectClose(shares(.exponential, at: [1, 101, 201]), [0, 1 - exp(-1), 1 - exp(-2)])
    let sigmoid = shares(.inverseSigmoid, at: [1, 51, 101, 151, 100_000])
    #expect(abs(sigmoid[2] - 0.5) < 1e-12 && sigmoid[4] == 1)
    #expect(sigmoid[0] > 0 && sigmoid[0] < 0.05 && zip(sigmoid, sigmoid.dropFirst()).allSatisfy(<))
  }
}
