import Preconditions
import SentencePiece

/// How many subwords there are to be, and how they are chosen.
package struct SubwordPlan: Sendable {
  /// How they are chosen.
  package let choice: SentencePieceModel.Choice
  /// How many there are, those of all bytes and the unknown one among them.
  package let pieces: Int

  /// A plan for so many.
  ///
  /// - Throws: `DataError` where there can't be so few, or so many.
  package init(_ choice: SentencePieceModel.Choice? = nil, pieces: Int? = nil) throws {
    (self.choice, self.pieces) = (choice ?? .unigram, pieces ?? 8000)
    let possible = SentencePieceModel.fewestPieces...SentencePieceModel.mostPieces
    guard possible.contains(self.pieces) else {
      throw DataError(
        "--pieces is \(self.pieces), expected \(possible.lowerBound) to \(possible.upperBound): the 256 bytes and the unknown "
          + "token are among them")
    }
  }

  /// The vocabulary of words in the training part.
  ///
  /// - Throws: `DataError` where they are of too many characters for so few subwords, or give no more.
  func vocabulary(counting words: [[UInt8]: Int]) throws -> Vocabulary {
    let words = words.filter { !$0.key.isEmpty && $0.key != SubwordCutter.lineFeed }
    guard !words.isEmpty else { throw DataError("there is no word in the training part") }
    let least = try SentencePieceModel.leastPieces(counting: words)
    guard pieces >= least else {
      throw DataError(
        "--pieces is \(pieces), expected \(least) or more: the unknown token, 256 bytes, and the \(least - 257) characters of "
          + "the training part that are not among its rarest")
    }
    let model = try SentencePieceModel.train(choice, pieces: pieces, counting: words)
    guard model.count == pieces else {
      throw DataError(
        "--pieces is \(pieces), but the training part gives no more than \(model.count); say --pieces \(model.count) or less, "
          + "or take more text")
    }
    return Vocabulary(subwords: model)
  }
}

/// What a token of texts is, and which of those that occur in the training part the vocabulary has.
package struct VocabularyPlan: Sendable {
  /// What a token is.
  let level: TokenLevel
  private let minimumCount: Int?
  private let maximumSize: Int?
  private let subwords: SubwordPlan?

  /// All labels.
  static let labels = VocabularyPlan(all: .label)

  private init(all level: TokenLevel) {
    self.level = level
    (minimumCount, maximumSize, subwords) = (nil, nil, nil)
  }

  /// A plan for tokens of this level.
  ///
  /// - Parameters:
  ///   - minimumCount: Characters or words that occur less often become the unknown token.
  ///   - maximumSize: Characters or words that are not among the most frequent, so many with the unknown token, become the
  ///     unknown token.
  ///   - subwords: How subwords are chosen; by the plan's defaults where left out.
  /// - Throws: `DataError` where something is given that is for other levels, or a limit is too small.
  init(
    _ level: TokenLevel, minimumCount: Int? = nil, maximumSize: Int? = nil, subwords: SubwordPlan? = nil
  ) throws {
    let isCounted = level != .byte && level != .subword
    guard isCounted || (minimumCount == nil && maximumSize == nil) else {
      throw DataError(
        "a minimum count or maximum size is for characters and words; the level is \(level.rawValue)")
    }
    guard level == .subword || subwords == nil else {
      throw DataError("--pieces and --pieces-by are for --level subword; the level is \(level.rawValue)")
    }
    if let minimumCount, minimumCount < 1 {
      throw DataError("the minimum count is \(minimumCount), expected 1 or more")
    }
    if let maximumSize, maximumSize < 2 {
      throw DataError("the maximum size is \(maximumSize), expected 2 or more: the unknown token and a word")
    }
    self.level = level
    self.minimumCount = minimumCount
    self.maximumSize = maximumSize
    self.subwords = level == .subword ? try subwords ?? SubwordPlan() : nil
  }

  /// A plan by which characters or words that occur only once become the unknown token, unless it is said how often they must.
  static func withUnknown(
    _ level: TokenLevel, minimumCount: Int?, subwords: SubwordPlan? = nil
  ) throws -> VocabularyPlan {
    let usual = level == .byte || level == .subword ? nil : 2
    return try VocabularyPlan(level, minimumCount: minimumCount ?? usual, subwords: subwords)
  }

  /// Whether characters or words may be left out.
  var isLimited: Bool { minimumCount != nil || maximumSize != nil }

  /// The vocabulary of what occurs in the training part, in UTF-8, and how often: characters, words, or what `SubwordCutter` cuts.
  /// With a limit, those left out become the unknown token, which is the first.
  ///
  /// - Throws: `DataError` where nothing occurs, and as `SubwordPlan.vocabulary`.
  func vocabulary(counting counts: [[UInt8]: Int]) throws -> Vocabulary {
    precondition(level != .byte, "all bytes are in their vocabulary, whatever occurs")
    if let subwords { return try subwords.vocabulary(counting: counts) }
    let unknown = unknownSpelling
    var kept = Array(counts)
    if isLimited { kept.removeAll { $0.key == Array(unknown.utf8) || $0.value < minimumCount ?? 1 } }
    if let maximumSize, kept.count >= maximumSize {
      kept.sort { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
      kept.removeSubrange((maximumSize - 1)...)
    }
    kept.sort { $0.key.lexicographicallyPrecedes($1.key) }
    return try Vocabulary(
      level: level,
      spellings: (isLimited ? [unknown] : []) + kept.map { String(decoding: $0.key, as: UTF8.self) },
      unknown: isLimited ? 0 : nil)
  }

  /// How the unknown token is spelt. For words no text has it: the tokenizer splits its punctuation off. For characters it is
  /// the one that Unicode has for what can't be shown.
  private var unknownSpelling: String { level == .char ? "\u{FFFD}" : "<unk>" }
}
