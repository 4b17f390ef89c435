/// A word, to be copied (see `Rearrangement`).
package struct CopyPairs: Rearrangement {
  package static let name = "copy-pairs"
  package static let abstract = "Pairs: a word, to be copied."

  package var streams = 20_000
  package var shortest = 5
  package var longest = 30
  package var symbols = 26

  package init() {}

  package static func rearranged(_ letters: [Int32]) -> [Int32] { letters }

  package static func alignment(_ letters: Int) -> [Int32]? { Array(0..<Int32(letters)) }
}
