import Chunks

/// Makes a dataset from texts of which each has a label: a stream a text, whose label is due at its last position.
package struct ClassesImport: DatasetImport {
  private let parts: PartPlan
  private let vocabulary: VocabularyPlan

  /// An import of these parts.
  ///
  /// - Parameters:
  ///   - level: What a token is.
  ///   - minimumCount: Characters or words that occur less often in the training part become the unknown token; 2 where left
  ///     out.
  ///   - subwords: How subwords are chosen.
  /// - Throws: `DataError` where the minimum count is less than 1, or one of them is for other levels.
  package init(
    _ parts: PartPlan, level: TokenLevel = .word, minimumCount: Int? = nil, subwords: SubwordPlan? = nil
  ) throws {
    self.parts = parts
    vocabulary = try .withUnknown(level, minimumCount: minimumCount, subwords: subwords)
  }

  package func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String]) {
    let files = try ImportedTexts(
      parts, level: vocabulary.level, command: command, keptIn: directory, progress: progress)
    var text = ClassifiedText(vocabulary.level)
    let ends = try files.read { source, _ in
      try text.read(source, files.reader)
    } streams: {
      text.labels.count
    }
    guard !text.labels.isEmpty else { throw files.without("labelled text") }
    let splits = try parts.splits(offsets: text.texts.offsets, ends: ends)
    let training = splits[0].range
    let vocabulary = try text.lexicon.vocabulary(text.texts.tokens[training], vocabulary)
    let streams = 0..<(text.texts.offsets.firstIndex(of: training.upperBound) ?? 0)
    let (names, labels) = try text.names.encode(labels: text.labels, training: streams, text.places)
    let texts = try text.lexicon.encode(text.texts, vocabulary)
    let lengths = zip(texts.offsets.dropFirst(), texts.offsets).map(-)
    let content = DatasetContent(
      try DataDescription([.input: .tokens(vocabulary), .target: .tokens(names)]),
      offsets: texts.offsets, splits: splits.moved(from: text.texts.offsets, to: texts.offsets),
      values: [
        .input: .tokens(texts.tokens),
        .target: .tokens(zip(labels, lengths).flatMap { repeatElement($0, count: $1) }),
      ],
      positionWeights: lengths.flatMap { repeatElement(0, count: $0 - 1) + [1] }, origin: files.origin)
    return (content, [])
  }
}

/// Texts of which each has a label, read line by line: "label<TAB>text".
struct ClassifiedText {
  /// The tokens' spellings, which `texts` number.
  private(set) var lexicon: Lexicon
  /// The labels, which `labels` number.
  private(set) var names = Lexicon(.label)
  /// The streams.
  private(set) var texts = NumberedTexts()
  /// The label of each.
  private(set) var labels: [Int32] = []
  /// Where each stream was read.
  private(set) var places = SourcePlaces()

  /// None yet, of tokens of this level.
  init(_ level: TokenLevel) { lexicon = Lexicon(level) }

  /// Adds the streams of a text; blank lines are left out.
  ///
  /// - Throws: `DataError` where a line has no tab, no label or no token, and as `TextReader.read`.
  mutating func read(_ source: TextSource, _ reader: TextReader) throws {
    places.begin(source)
    try reader.readLines(source) { line, number in
      guard line.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { return }
      guard let tab = line.firstIndex(of: 0x09), tab > 0 else {
        throw DataError(
          "expected a label, a tab and a text, found \(line.shown)", path: source.name, line: number)
      }
      var tokens: [Int32] = []
      lexicon.append(line[(tab + 1)...], to: &tokens)
      guard !tokens.isEmpty else {
        throw DataError(
          "the text behind the label is empty; leave the line out", path: source.name, line: number)
      }
      texts.append(tokens)
      labels.append(names.number(of: try label(line[..<tab], source, number)))
      places.append(line: number)
    }
  }

  /// Labels are UTF-8 also where the text behind them is any bytes.
  private func label(_ units: ArraySlice<UInt32>, _ source: TextSource, _ line: Int) throws -> [UInt8] {
    guard lexicon.level == .byte else { return units.utf8 }
    let bytes = units.map { UInt8($0) }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw DataError("the label is not valid UTF-8", path: source.name, line: line)
    }
    return bytes
  }
}
