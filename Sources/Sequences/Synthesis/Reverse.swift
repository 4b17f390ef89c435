/// A word, to be spelt backwards (see `Rearrangement`).
package struct Reverse: Rearrangement {
  package static let name = "reverse"
  package static let abstract = "Pairs: a word, to be spelt backwards."

  package var streams = 20_000
  package var shortest = 5
  package var longest = 30
  package var symbols = 26

  package init() {}

  package static func rearranged(_ letters: [Int32]) -> [Int32] { letters.reversed() }

  package static func alignment(_ letters: Int) -> [Int32]? { (0..<Int32(letters)).reversed() }
}
