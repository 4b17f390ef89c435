import SentencePiece

/// Cuts text into the words of which subwords are pieces, and line feeds.
///
/// In a line, words are what stands between spaces: nothing, too, before a space at its beginning, behind one at its end, and
/// between two. The pieces of a word follow from itself alone, and begin with a space; so those of a line are SentencePiece's
/// for the whole line, and text is given back as it was.
struct SubwordCutter: TextCutter {
  /// The line feed as a word of its own: no other has one.
  static let lineFeed: [UInt8] = [0x0A]

  private var word: [UInt8] = []
  /// Whether there is a word, even if it is empty as yet.
  private var hasWord = false

  /// Whether what has been taken ends with a word or line, or the space behind a word.
  var isBetweenWords: Bool { word.isEmpty }

  mutating func feed(_ scalar: Unicode.Scalar, _ emit: ([UInt8]) throws -> Void) rethrows {
    switch scalar {
    case "\n":
      try finish(emit)
      try emit(Self.lineFeed)
    case " ":
      hasWord = true
      try finish(emit)
      hasWord = true
    default:
      hasWord = true
      word.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
  }

  mutating func finish(_ emit: ([UInt8]) throws -> Void) rethrows {
    guard hasWord else { return }
    hasWord = false
    try emit(word)
    word.removeAll(keepingCapacity: true)
  }
}

/// Spells the words of a `SubwordCutter` by the pieces of a model, and remembers how.
final class SubwordSpeller {
  private let model: SentencePieceModel
  private var known: [[UInt8]: [Int32]] = [:]

  /// Few texts have more different words than that.
  private static let mostKnown = 1 << 17

  /// A speller for one thread.
  init(_ model: SentencePieceModel) { self.model = model }

  /// The pieces of a word.
  func tokens(of word: [UInt8]) throws -> [Int32] {
    if let tokens = known[word] { return tokens }
    let tokens = word == SubwordCutter.lineFeed ? [model.lineFeed] : try model.encode(word)
    if known.count == Self.mostKnown { known.removeAll(keepingCapacity: true) }
    known[word] = tokens
    return tokens
  }
}

extension SentencePieceModel {
  /// The piece that ends a line.
  var lineFeed: Int32 { bytes[0x0A] }
}
