import Evaluation
import Testing

/// Where attention goes, as numbers.
@Suite struct AttentionScoreTests {
  @Test func `the mass on stated positions is a mean over the tokens for which one is stated`() throws {
    var scores = AttentionScores()
    #expect(scores.alignmentMass == nil && scores.coverage == nil)
    for mass: Float in [0.25, 1, 0] { scores.add(mass: mass) }
    #expect(try #require(scores.alignmentMass) == 1.25 / 3)
  }

  @Test func `a position is covered as far as its weights come to one`() throws {
    var scores = AttentionScores()
    // The first position is covered wholly, the second by three quarters.
    scores.add(coverageBy: [[0.75, 0.25], [0.5, 0.5]])
    #expect(scores.coverage == 0.875)
    scores.add(coverageBy: [[0, 0]])
    #expect(scores.coverage == 1.75 / 4)
    scores.add(coverageBy: [])
    #expect(scores.coverage == 1.75 / 4)
  }

  @Test func `parts add up to the same bits in any order`() throws {
    let masses = (0..<1000).map { Float($0 * 7919 % 997) / 997 }
    func numbers(_ masses: [Float]) -> [Int] {
      var scores = AttentionScores()
      for mass in masses { scores.add(mass: mass) }
      return scores.numbers
    }
    let whole = numbers(masses)
    #expect(numbers(masses.reversed()) == whole)
    let parts = [numbers(Array(masses[..<313])), numbers(Array(masses[313...]))]
    #expect(zip(parts[0], parts[1]).map { $0 + $1 } == whole)
    let mean = try #require(AttentionScores(numbers: whole).alignmentMass)
    #expect(abs(mean - masses.reduce(0) { $0 + Double($1) } / 1000) < 1e-9)
  }
}
