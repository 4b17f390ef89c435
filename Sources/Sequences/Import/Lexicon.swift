import Preconditions

/// Numbers the tokens of a text, or labels, as they come, before it is known which of them the vocabulary will have; or, before
/// there are subwords, the words of which they will be pieces.
struct Lexicon {
  /// What a token is.
  let level: TokenLevel
  /// The words or labels, by number; characters and bytes are their own numbers.
  private var words: [[UInt8]] = []
  private var numbers: [[UInt8]: Int32] = [:]

  /// An empty one.
  init(_ level: TokenLevel) { self.level = level }

  /// The number of a word.
  mutating func number(of word: [UInt8]) -> Int32 {
    if let number = numbers[word] { return number }
    let number = Int32(words.count)
    words.append(word)
    numbers[word] = number
    return number
  }

  /// Adds the tokens of a text, whose units these are, to `tokens`.
  mutating func append(_ units: some Sequence<UInt32>, to tokens: inout [Int32]) {
    switch level {
    case .char, .byte: tokens.append(contentsOf: units.lazy.map { Int32($0) })
    case .word, .label: append(units, cutBy: WordTokenizer(), to: &tokens)
    case .subword: append(units, cutBy: SubwordCutter(), to: &tokens)
    }
  }

  private mutating func append(
    _ units: some Sequence<UInt32>, cutBy cutter: some TextCutter, to tokens: inout [Int32]
  ) {
    var cutter = cutter
    for unit in units { cutter.feed(TokenEncoder.scalar(unit)) { tokens.append(number(of: $0)) } }
    cutter.finish { tokens.append(number(of: $0)) }
  }

  /// How a token is spelt, in UTF-8.
  func spelling(_ number: Int32) -> [UInt8] {
    level == .char ? CollectionOfOne(UInt32(number)).utf8 : words[Int(number)]
  }

  /// The vocabulary of the `training` tokens, or words.
  func vocabulary(_ training: ArraySlice<Int32>, _ plan: VocabularyPlan) throws -> Vocabulary {
    guard level != .byte else { return .bytes }
    var counts: [Int32: Int] = [:]
    for token in training { counts[token, default: 0] += 1 }
    return try plan.vocabulary(
      counting: Dictionary(uniqueKeysWithValues: counts.map { (spelling($0.key), $0.value) }))
  }

  /// The tokens of texts as a vocabulary numbers them, which is that of some of them and has an unknown token, or subwords.
  func encode(_ texts: NumberedTexts, _ vocabulary: Vocabulary) throws -> NumberedTexts {
    guard let model = vocabulary.subwords else {
      return NumberedTexts(try encode(texts.tokens, vocabulary), offsets: texts.offsets)
    }
    let speller = SubwordSpeller(model)
    var encoded = NumberedTexts()
    for text in 0..<texts.count {
      encoded.append(try texts[text].flatMap { try speller.tokens(of: spelling($0)) })
    }
    return encoded
  }

  /// The tokens as a vocabulary numbers them; `missing` makes the error where it has no such token, nor an unknown one,
  /// which must not be where it is left out.
  func encode(
    _ tokens: [Int32], _ vocabulary: Vocabulary,
    missing: (_ place: Int, _ spelling: String) -> DataError = {
      preconditionFailure("token \($0) (\($1)) is not in the vocabulary")
    }
  ) throws -> [Int32] {
    guard level != .byte else { return tokens }
    var known: [Int32: Int32] = [:]
    return try tokens.enumerated().map { place, number in
      if let token = known[number] { return token }
      let spelling = spelling(number)
      guard let token = vocabulary.token(spelt: spelling) else {
        throw missing(place, String(decoding: spelling, as: UTF8.self))
      }
      known[number] = token
      return token
    }
  }
}

extension Lexicon {
  /// The names of the labels in the training part, and the labels as numbers of them.
  ///
  /// - Throws: `DataError` with its place where a label does not occur in the training part.
  func encode(labels: [Int32], training: Range<Int>, _ places: SourcePlaces) throws -> (Vocabulary, [Int32]) {
    let names = try vocabulary(labels[training], .labels)
    let shown = names.spellings.prefix(20).map { $0.count > 40 ? "\($0.prefix(40))..." : $0 }
    let known = shown.joined(separator: ", ") + (names.count > 20 ? ", ..." : "")
    let numbers = try encode(labels, names) { place, label in
      places.error(
        "the label \(label.debugDescription) does not occur in the training part, whose labels are \(known); correct "
          + "it, or move some of its lines to the training part", at: place)
    }
    return (names, numbers)
  }
}
