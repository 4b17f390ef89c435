import Preconditions

/// Puts tokens together to a text again, one after another: words as `WordTokenizer` says, subwords as SentencePiece does line
/// by line.
package struct TokenSpeller {
  private let vocabulary: Vocabulary
  private var previous: Int32?

  /// A speller at the beginning of a text.
  package init(_ vocabulary: Vocabulary) { self.vocabulary = vocabulary }

  /// The bytes that the next token adds to the text: UTF-8, or of a vocabulary of bytes the byte as it is. A begin or end
  /// token adds nothing.
  package mutating func spell(_ token: Int32) -> [UInt8] {
    guard !vocabulary.isEnd(token) else { return [] }
    let spelling = vocabulary.spellings[Int(token)]
    defer { previous = token }
    switch vocabulary.level {
    case .byte: return [UInt8(token)]
    case .char: return Array(spelling.utf8)
    case .word, .label:
      let isSpaced =
        previous.map { WordTokenizer.isSpaced(vocabulary.spellings[Int($0)], spelling) } ?? false
      return (isSpaced ? [UInt8(ascii: " ")] : []) + spelling.utf8
    case .subword:
      guard let model = vocabulary.subwords else { preconditionFailure("subwords have a model") }
      let beginsLine = previous.map { $0 == model.lineFeed } ?? true
      return Array(model.text(of: token).dropFirst(beginsLine && model.hasSpace(token) ? 1 : 0))
    }
  }
}
