import Preconditions

/// One side of pairs: texts of tokens that a lexicon numbers. Where they are targets, two tokens more are around each.
struct NumberedTexts {
  private var tokens: [Int32] = []
  private(set) var offsets = [0]

  var count: Int { offsets.count - 1 }

  subscript(text: Int) -> ArraySlice<Int32> { tokens[offsets[text]..<offsets[text + 1]] }

  subscript(texts: Range<Int>) -> ArraySlice<Int32> {
    tokens[offsets[texts.lowerBound]..<offsets[texts.upperBound]]
  }

  mutating func append(_ text: some Collection<Int32>) {
    tokens += text
    offsets.append(tokens.count)
  }

  /// The tokens as a vocabulary numbers them.
  func encoded(_ lexicon: Lexicon, _ vocabulary: Vocabulary) throws -> [Int32] {
    try lexicon.encode(tokens, vocabulary)
  }

  /// Where targets begin, and the last ends.
  var targetOffsets: [Int] { offsets.enumerated().map { $1 + 2 * $0 } }

  /// The targets that lie in a range of positions, which cuts none.
  func targets(at positions: Range<Int>) -> Range<Int> {
    let offsets = targetOffsets
    func text(at position: Int) -> Int { offsets.partitioningIndex { offsets[$0] >= position } }
    return text(at: positions.lowerBound)..<text(at: positions.upperBound)
  }

  /// The targets as a vocabulary numbers them, which has begin and end tokens.
  func targets(_ lexicon: Lexicon, _ vocabulary: Vocabulary) throws -> TrackValues {
    guard let ends = vocabulary.ends else { preconditionFailure("targets have a begin and an end") }
    let tokens = try encoded(lexicon, vocabulary)
    return .tokens((0..<count).flatMap { ends.around(tokens[offsets[$0]..<offsets[$0 + 1]]) })
  }
}

extension Lexicon {
  /// The tokens of a text; none where it is empty or only space.
  mutating func tokens(of text: some Collection<UInt32>) -> [Int32] {
    var tokens: [Int32] = []
    guard text.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return tokens }
    append(text, to: &tokens)
    return tokens
  }
}
