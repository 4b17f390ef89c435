/// Cuts text into words.
protocol TextCutter {
  /// Takes the next scalar of the text, and gives the words that end before or with it, as UTF-8, to `emit`.
  mutating func feed(_ scalar: Unicode.Scalar, _ emit: ([UInt8]) throws -> Void) rethrows
  /// Gives what is left at the end of the text to `emit`.
  mutating func finish(_ emit: ([UInt8]) throws -> Void) rethrows
}

extension WordTokenizer: TextCutter {}

/// Cuts text into words, punctuation marks and line ends.
///
/// A word is a run of letters, marks and digits, with apostrophes and hyphens between them ("don't", "well-known").
/// Every line feed is a token; other white space only separates. Everything else is a token of one scalar. A word of
/// more than 128 bytes is cut into several: files keep as much room for each word as the longest needs. Text is
/// put together again with a space between tokens, but none beside a line feed, before a mark that closes
/// and after one that opens: of well-set prose that restores all but the quotation marks' spaces.
package struct WordTokenizer: Sendable {
  private var word: [UInt8] = []
  /// An apostrophe or hyphen behind a word, which belongs to it if the word goes on.
  private var joiner: [UInt8] = []

  /// A tokenizer at the beginning of a text.
  package init() {}

  /// Takes the next scalar of the text, and gives the tokens that end before or with it, as UTF-8, to `emit`.
  package mutating func feed(_ scalar: Unicode.Scalar, _ emit: ([UInt8]) throws -> Void) rethrows {
    switch Self.kind(of: scalar) {
    case .letter:
      if word.count + joiner.count + UTF8.width(scalar) > Self.mostBytes { try finish(emit) }
      if !joiner.isEmpty {
        word += joiner
        joiner.removeAll(keepingCapacity: true)
      }
      word.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    case .joiner where !word.isEmpty && joiner.isEmpty:
      joiner.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    case .space: try finish(emit)
    case .lineFeed, .mark, .joiner:
      try finish(emit)
      try emit(Array(String(scalar).utf8))
    }
  }

  /// Gives what is left at the end of the text to `emit`.
  package mutating func finish(_ emit: ([UInt8]) throws -> Void) rethrows {
    guard !word.isEmpty else { return }
    try emit(word)
    word.removeAll(keepingCapacity: true)
    guard !joiner.isEmpty else { return }
    try emit(joiner)
    joiner.removeAll(keepingCapacity: true)
  }

  /// Whether a space stands between two tokens that follow each other.
  static func isSpaced(_ left: String, _ right: String) -> Bool {
    if left == "\n" || right == "\n" { return false }
    return !opening.contains(left) && !closing.contains(right)
  }

  private static let mostBytes = 128

  private static let opening: Set<String> = ["(", "[", "{", "“", "‘", "«", "¿", "¡"]
  private static let closing: Set<String> = [
    ".", ",", ";", ":", "!", "?", ")", "]", "}", "”", "’", "»", "…", "%", "'",
  ]

  private enum Kind { case letter, joiner, space, lineFeed, mark }

  private static func kind(of scalar: Unicode.Scalar) -> Kind {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9": return .letter
    case "\n": return .lineFeed
    case " ", "\t", "\r": return .space
    case "'", "-", "’": return .joiner
    default: break
    }
    guard scalar.value > 127 else { return .mark }
    if scalar.properties.isWhitespace { return .space }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
      .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber:
      return .letter
    default: return .mark
    }
  }
}
