/// Turns the units of a text, bytes or scalar values, into tokens.
struct TokenEncoder {
  /// A character or word that the vocabulary does not have.
  struct UnknownToken: Error {
    /// In UTF-8.
    let spelling: [UInt8]

    /// It, quoted for a message.
    var shown: String { String(decoding: spelling, as: UTF8.self).debugDescription }
  }

  private let vocabulary: Vocabulary
  private var tokenizer = WordTokenizer()
  private var cutter = SubwordCutter()
  private let speller: SubwordSpeller?
  /// The token of each scalar value up to the largest in the vocabulary; -1 where there is none.
  private let characters: [Int32]
  /// That of all others; -1 where there is none.
  private let unknown: Int32

  /// An encoder at the beginning of a text.
  init(_ vocabulary: Vocabulary) {
    self.vocabulary = vocabulary
    speller = vocabulary.subwords.map { SubwordSpeller($0) }
    let scalars = vocabulary.level == .char ? vocabulary.spellings.compactMap(\.unicodeScalars.first) : []
    var characters = [Int32](repeating: -1, count: Int(scalars.map(\.value).max() ?? 0) + 1)
    for (scalar, token) in zip(scalars, Int32(0)...) where !vocabulary.isEnd(token) {
      characters[Int(scalar.value)] = token
    }
    self.characters = characters
    unknown = Int32(vocabulary.unknown ?? -1)
  }

  /// Takes the next unit, and gives the tokens that end before or with it to `emit`.
  ///
  /// - Throws: `UnknownToken`, and what `emit` throws.
  mutating func feed(_ unit: UInt32, _ emit: (Int32) throws -> Void) throws {
    switch vocabulary.level {
    case .byte: try emit(Int32(unit))
    case .char:
      let known = unit < characters.count ? characters[Int(unit)] : -1
      let token = known >= 0 ? known : unknown
      guard token >= 0 else { throw UnknownToken(spelling: CollectionOfOne(unit).utf8) }
      try emit(token)
    case .word, .label:
      try tokenizer.feed(Self.scalar(unit)) { [vocabulary] in try emit(Self.token(spelt: $0, vocabulary)) }
    case .subword:
      try cutter.feed(Self.scalar(unit)) { [speller] in try speller?.tokens(of: $0).forEach(emit) }
    }
  }

  /// Whether, of subwords, all tokens of what has been taken are out.
  var isBetweenWords: Bool { cutter.isBetweenWords }

  /// Gives what is left at the end of the text to `emit`; throws as `feed` does.
  mutating func finish(_ emit: (Int32) throws -> Void) throws {
    try tokenizer.finish { [vocabulary] in try emit(Self.token(spelt: $0, vocabulary)) }
    try cutter.finish { [speller] in try speller?.tokens(of: $0).forEach(emit) }
  }

  /// Adds the tokens of a whole text to `tokens`; throws as `feed` does.
  mutating func encode(_ text: some Sequence<UInt32>, to tokens: inout [Int32]) throws {
    for unit in text { try feed(unit) { tokens.append($0) } }
    try finish { tokens.append($0) }
  }

  private static func token(spelt word: [UInt8], _ vocabulary: Vocabulary) throws -> Int32 {
    guard let token = vocabulary.token(spelt: word) else { throw UnknownToken(spelling: word) }
    return token
  }

  /// What the decoder lets through is always a scalar value.
  static func scalar(_ unit: UInt32) -> Unicode.Scalar { Unicode.Scalar(unit) ?? "\u{FFFD}" }
}
