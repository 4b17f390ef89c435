/// Where a model of pairs attends: sums in fixed point, which add up in any order.
package struct AttentionScores {
  /// The mass of attention on stated positions, the tokens for which one is stated; the positions of sources that are covered,
  /// and all. Masses count in units of 2^-32.
  package private(set) var numbers = [Int](repeating: 0, count: 4)

  /// The smallest mass that counts.
  private static let unit = 0x1p-32

  /// None as yet.
  package init() {}

  /// The sums of several ranks.
  package init(numbers: [Int]) { self.numbers = numbers }

  /// Adds the weight of the position that is stated for a token.
  package mutating func add(mass: Float) {
    numbers[0] += Self.fixed(Double(mass))
    numbers[1] += 1
  }

  /// Adds a source whose positions had these weights while each token was said: one is covered as far as its weights come to 1
  /// (Tu et al. 2016; Wu et al. 2016).
  package mutating func add(coverageBy attention: [[Float]]) {
    guard let positions = attention.first?.count else { return }
    for position in 0..<positions {
      numbers[2] += Self.fixed(min(1, attention.reduce(0) { $0 + Double($1[position]) }))
    }
    numbers[3] += positions
  }

  /// The share of attention on stated positions; nil where none is stated.
  package var alignmentMass: Double? { share(0) }

  /// The share of the positions of sources that are covered; nil where nothing attends.
  package var coverage: Double? { share(2) }

  private func share(_ index: Int) -> Double? {
    numbers[index + 1] == 0 ? nil : Double(numbers[index]) * Self.unit / Double(numbers[index + 1])
  }

  private static func fixed(_ mass: Double) -> Int { Int((mass / unit).rounded()) }
}
