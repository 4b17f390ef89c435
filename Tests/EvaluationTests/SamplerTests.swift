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

  /// Draws of each of many seeds.
  private func draws(_ sampler: Sampler, _ logits: [Float]) -> [Int] {
    logits.withUnsafeBufferPointer { logits in
      (0..<200).map { (seed: UInt64) in
        var random = RandomStream(RandomKey(seed: seed, purpose: .generation))
        return sampler.draw(logits, &random)
      }
    }
  }

  @Test func `top K above the vocabulary draws what 0 draws`() {
    for topP in [1, 0.9] {
      let all = draws(Sampler(topP: topP), logits)
      for topK in [4, 5, 99] { #expect(draws(Sampler(topK: topK, topP: topP), logits) == all) }
    }
  }

  @Test func `the draws are those of tokens in descending order, equal ones in their own`() {
    var random = RandomStream(RandomKey(seed: 4, purpose: .generation))
    let logits = (0..<500).map { _ in Float(random.below(60)) / 8 }
    let order: [Int] = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    for (topK, topP) in [(1, 1), (2, 1), (40, 1), (499, 1), (40, 0.5), (0, 0.3), (0, 0.95)] {
      // What top K and top P leave, moved to the front of an order that needs no limit.
      var weights = order.prefix(topK == 0 ? 500 : topK).map { exp(Double(logits[$0] - logits[order[0]])) }
      let limit = topP * weights.reduce(0, +)
      var (count, total) = (0, 0.0)
      while count == 0 || (count < weights.count && total < limit) {
        total += weights[count]
        count += 1
      }
      weights = Array(weights.prefix(count))
      let expected = (0..<200).map { (seed: UInt64) in
        var random = RandomStream(RandomKey(seed: seed, purpose: .generation))
        var rest = random.uniform() * total
        let place = weights.firstIndex { weight in
          rest -= weight
          return rest < 0
        }
        return order[place ?? count - 1]
      }
      #expect(draws(Sampler(topK: topK, topP: topP), logits) == expected, "\(topK), \(topP)")
    }
  }

  @Test func `top P leaves the fewest that come to P`() {
    expectClose(frequencies(Sampler(topP: 0.65), logits), [4 / 7.0, 0, 3 / 7.0, 0])
    expectClose(frequencies(Sampler(topP: 0.75), logits), [4 / 9.0, 0, 3 / 9.0, 2 / 9.0])
    #expect(frequencies(Sampler(topP: 1e-9), logits, count: 50) == [1, 0, 0, 0])
    // Of the three that top K leaves, the first has 4/9.
    #expect(frequencies(Sampler(topK: 3, topP: 0.4), logits, count: 50) == [1, 0, 0, 0])
  }
}
