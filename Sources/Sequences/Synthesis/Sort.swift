/// A word, whose letters are to be put in alphabetical order (see `Rearrangement`).
package struct Sort: Rearrangement {
  package static let name = "sort"
  package static let abstract = "Pairs: a word, whose letters are to be put in alphabetical order."

  package var streams = 20_000
  package var shortest = 5
  package var longest = 30
  package var symbols = 26

  package init() {}

  package static func rearranged(_ letters: [Int32]) -> [Int32] { letters.sorted() }

  package static func alignment(_: Int) -> [Int32]? { nil }
}
