import Evaluation
import Glibc
import Random
import Testing

@Suite struct SamplerTests {
  /// Probabilities 0.4, 0.1, 0.3, 0.2.
  private let logits: [Float] = [0.4, 0.1, 0.3, 0.2].map { logf($0) + 5 }

  /// How often each token comes among `count` draws.
  private func frequencies(_ sampler: Sampler, _ logits: [Float], count: Int = 20_000) -> [Double] {
    var random = RandomStream(RandomKey(seed: 3, purpose: .generation))
    var counts = [Double](repeating: 0, count: logits.count)
    logits.withUnsafeBufferPointer { logits in
      for _ in 0..<count { counts[sampler.draw(logits, &random)] += 1 }
    }
    return counts.map { $0 / Double(count) }
  }

  private func expectClose(_ found: [Double], _ expected: [Double]) {
    for (found, expected) in zip(found, expected) {
      // Four standard deviations of a frequency of 1/2 among 20,000 draws; what cannot be drawn never is.
      #expect(expected == 0 ? found == 0 : abs(found - expected) < 0.015)
    }
  }

  @Test func `tokens come as often as they are probable`() {
    expectClose(frequencies(Sampler(), logits), [0.4, 0.1, 0.3, 0.2])
  }

  @Test func `temperature sharpens and flattens`() {
    expectClose(
      frequencies(Sampler(temperature: 0.5), logits), [0.16, 0.01, 0.09, 0.04].map { $0 / 0.3 })
    expectClose(frequencies(Sampler(temperature: 1e9), logits), [0.25, 0.25, 0.25, 0.25])
  }

  @Test func `temperature zero takes the most probable token, the first of equals`() {
    #expect(frequencies(Sampler(temperature: 0), logits, count: 50) == [1, 0, 0, 0])
    #expect(frequencies(Sampler(temperature: 0), [1, 3, 3, 2], count: 50) == [0, 1, 0, 0])
    #expect(frequencies(Sampler(temperature: 1e-300), logits, count: 50) == [1, 0, 0, 0])
  }

  @Test func `top K leaves the K most probable`() {
    expectClose(frequencies(Sampler(topK: 2), logits), [4 / 7.0, 0, 3 / 7.0, 0])
    #expect(frequencies(Sampler(topK: 1), logits, count: 50) == [1, 0, 0, 0])
    expectClose(frequencies(Sampler(topK: 99), logits), [0.4, 0.1, 0.3, 0.2])
    expectClose(frequencies(Sampler(topK: 2), [0, 0, 0, 0]), [0.5, 0.5, 0, 0])
  }

  @Test func `top P leaves the fewest that come to P`() {
    expectClose(frequencies(Sampler(topP: 0.65), logits), [4 / 7.0, 0, 3 / 7.0, 0])
    expectClose(frequencies(Sampler(topP: 0.75), logits), [4 / 9.0, 0, 3 / 9.0, 2 / 9.0])
    #expect(frequencies(Sampler(topP: 1e-9), logits, count: 50) == [1, 0, 0, 0])
    // Of the three that top K leaves, the first has 4/9.
    #expect(frequencies(Sampler(topK: 3, topP: 0.4), logits, count: 50) == [1, 0, 0, 0])
  }
}
