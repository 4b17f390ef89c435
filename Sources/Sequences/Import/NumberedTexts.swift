import Preconditions

/// Texts of tokens, numbered by a lexicon or a vocabulary: one side of pairs, of which targets have two tokens more around each;
/// or what has a label.
struct NumberedTexts {
  private(set) var tokens: [Int32] = []
  /// Where texts begin, and the last ends.
  private(set) var offsets = [0]

  /// None yet.
  init() {}

  /// Texts of these tokens, which lie between `offsets`.
  init(_ tokens: [Int32], offsets: [Int]) { (self.tokens, self.offsets) = (tokens, offsets) }

  var count: Int { offsets.count - 1 }

  subscript(text: Int) -> ArraySlice<Int32> { tokens[offsets[text]..<offsets[text + 1]] }

  subscript(texts: Range<Int>) -> ArraySlice<Int32> {
    tokens[offsets[texts.lowerBound]..<offsets[texts.upperBound]]
  }

  mutating func append(_ text: some Collection<Int32>) {
    tokens += text
    offsets.append(tokens.count)
  }

  /// Where targets begin, and the last ends.
  var targetOffsets: [Int] { offsets.enumerated().map { $1 + 2 * $0 } }

  /// The targets that lie in a range of positions, which cuts none.
  func targets(at positions: Range<Int>) -> Range<Int> {
    let offsets = targetOffsets
    func text(at position: Int) -> Int { offsets.partitioningIndex { offsets[$0] >= position } }
    return text(at: positions.lowerBound)..<text(at: positions.upperBound)
  }

  /// The tokens of targets with those around each, of a vocabulary that has such.
  func targets(_ vocabulary: Vocabulary) -> TrackValues {
    guard let ends = vocabulary.ends else { preconditionFailure("targets have a begin and an end") }
    return .tokens((0..<count).flatMap { ends.around(self[$0]) })
  }
}

extension [DatasetWriter.Split] {
  /// The same streams, none of which is cut, where they lie between other offsets.
  func moved(from old: [Int], to new: [Int]) -> [DatasetWriter.Split] {
    guard old != new else { return self }
    func moved(_ position: Int) -> Int { new[old.indices.partitioningIndex { old[$0] >= position }] }
    return map {
      DatasetWriter.Split(name: $0.name, range: moved($0.range.lowerBound)..<moved($0.range.upperBound))
    }
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
