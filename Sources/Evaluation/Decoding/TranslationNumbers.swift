import Preconditions

extension Translation {
  /// The translations of sources as numbers, all of which a `Double` holds exactly: a message to another rank.
  package static func numbers(of sources: [[Translation]]) -> [Double] {
    sources.flatMap { translations in
      [Double(translations.count)] + translations.flatMap(\.numbers)
    }
  }

  /// The translations of sources from their numbers.
  package static func read(_ numbers: [Double]) -> [[Translation]] {
    var rest = NumberReader(numbers)
    var sources: [[Translation]] = []
    while !rest.isAtEnd { sources.append((0..<rest.count()).map { _ in Translation(from: &rest) }) }
    return sources
  }

  private var numbers: [Double] {
    [score, isComplete ? 1 : 0, Double(tokens.count)] + tokens.map { Double($0) }
      + [Double(attention.count), Double(attention.first?.count ?? 0)] + attention.joined().map { Double($0) }
  }

  private init(from rest: inout NumberReader) {
    score = rest.next()
    isComplete = rest.next() != 0
    tokens = rest.take(rest.count()).map { Int32($0) }
    let (rows, positions) = (rest.count(), rest.count())
    attention = (0..<rows).map { _ in rest.take(positions).map { Float($0) } }
  }
}

/// Takes numbers one after another.
private struct NumberReader {
  private var rest: ArraySlice<Double>

  init(_ numbers: [Double]) { rest = numbers[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ count: Int) -> ArraySlice<Double> {
    precondition(count <= rest.count, "a message is whole")
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func next() -> Double {
    guard let number = rest.popFirst() else { preconditionFailure("a message is whole") }
    return number
  }

  mutating func count() -> Int { Int(next()) }
}
