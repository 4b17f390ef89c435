import Chunks
import Glibc
import Preconditions
import Random

/// The probabilities of the numbers from 0 on.
package struct Distribution: Sendable, Equatable {
  /// One a number, with sum 1.
  package let probabilities: [Double]

  /// A distribution in proportion to these weights, at least one of them above 0.
  package init(weights: [Double]) {
    let sum = weights.reduce(0, +)
    precondition(sum > 0, "a distribution needs a weight above 0")
    probabilities = weights.map { $0 / sum }
  }

  /// A number.
  func draw(_ random: inout RandomStream) -> Int {
    var rest = random.uniform()
    for (number, probability) in probabilities.dropLast().enumerated() {
      if rest < probability { return number }
      rest -= probability
    }
    return probabilities.count - 1
  }
}

extension RandomStream {
  /// A normal number of mean 0 and variance 1 (Box & Muller 1958).
  mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * .pi * uniform())
  }

  /// Independent uniform tokens.
  mutating func tokens(_ count: Int, below bound: Int) -> [Int32] {
    (0..<count).map { _ in Int32(below(bound)) }
  }

  /// Different numbers, every sequence of them equally likely (the first steps of the shuffle of Fisher and Yates).
  mutating func distinct(_ count: Int, below bound: Int) -> [Int] {
    var numbers = Array(0..<bound)
    for place in 0..<count { numbers.swapAt(place, place + below(bound - place)) }
    return Array(numbers.prefix(count))
  }

  /// Distributions drawn at random: all are equally likely with sharpness 1, nearly even ones with less, and those that
  /// favour few numbers with more.
  mutating func distributions(_ count: Int, over numbers: Int, sharpness: Double) -> [Distribution] {
    (0..<count).map { _ in
      Distribution(weights: (0..<numbers).map { _ in pow(-log(1 - uniform()), sharpness) })
    }
  }
}

extension Array {
  /// Zeros with a value at the end.
  static func last(_ value: Element, of count: Int) -> Self where Element: Numeric {
    Array(repeating: 0, count: count - 1) + [value]
  }
}

extension TrackDescription {
  /// Symbols that are no text.
  static func symbols(_ names: [String]) throws -> TrackDescription {
    .tokens(try Vocabulary(level: .label, spellings: names))
  }

  /// Frames of these columns, in numbers as they are.
  static func frames(_ names: String...) throws -> TrackDescription { .frames(try FrameColumns(names)) }
}
