import Chunks

/// Makes a dataset from text of which each position has a label.
package struct LabelledImport: DatasetImport {
  private let parts: PartPlan
  private let vocabulary: VocabularyPlan

  /// An import of these parts.
  ///
  /// - Parameter minimumCount: Words that occur less often in the training part become the unknown token.
  /// - Throws: `DataError` where it is less than 1.
  package init(_ parts: PartPlan, minimumCount: Int = 2) throws {
    self.parts = parts
    vocabulary = try VocabularyPlan(.word, minimumCount: minimumCount)
  }

  package func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String]) {
    let texts = try ImportedTexts(parts, command: command, keptIn: directory, progress: progress)
    var text = LabelledText()
    let ends = try texts.read { source, _ in
      try text.read(source, texts.reader)
    } streams: {
      text.offsets.count - 1
    }
    guard !text.tokens.isEmpty else { throw texts.without("labelled token") }
    let splits = try parts.splits(offsets: text.offsets, ends: ends)
    let training = splits[0].range
    let vocabulary = try text.words.vocabulary(text.tokens[training], vocabulary)
    let tokens = try text.words.encode(text.tokens, vocabulary)
    let (names, labels) = try text.names.encode(labels: text.labels, training: training, text.places)
    let content = DatasetContent(
      try DataDescription([.input: .tokens(vocabulary), .target: .tokens(names)]),
      offsets: text.offsets, splits: splits, values: [.input: .tokens(tokens), .target: .tokens(labels)],
      origin: texts.origin)
    return (content, [])
  }
}

/// Text of which each position has a label, read line by line: "token<TAB or space>label", and a blank line between
/// streams (CoNLL).
///
/// Where a line has a tab, tabs separate its columns, otherwise spaces; the first and the last column count.
struct LabelledText {
  /// The words, which `tokens` number.
  private(set) var words = Lexicon(.word)
  /// The labels, which `labels` number.
  private(set) var names = Lexicon(.label)
  private(set) var tokens: [Int32] = []
  private(set) var labels: [Int32] = []
  /// Where streams begin.
  private(set) var offsets = [0]
  /// Where each position was read.
  private(set) var places = SourcePlaces()

  /// Adds a text.
  ///
  /// - Throws: `DataError` where a line has only one column, and as `TextReader.read`.
  mutating func read(_ source: TextSource, _ reader: TextReader) throws {
    places.begin(source)
    try reader.readLines(source) { line, number in
      guard line.contains(where: { !Self.isSpace($0) }) else { return endStream() }
      let (word, label) = try Self.columns(of: line, at: number, in: source.name)
      tokens.append(words.number(of: word.utf8))
      labels.append(names.number(of: label.utf8))
      places.append(line: number)
    }
    endStream()
  }

  private mutating func endStream() {
    if tokens.count > offsets[offsets.count - 1] { offsets.append(tokens.count) }
  }

  private static func isSpace(_ unit: UInt32) -> Bool { unit == 0x20 || unit == 0x09 || unit == 0x0D }

  private static func columns(of line: [UInt32], at number: Int, in file: String) throws -> (
    ArraySlice<UInt32>, ArraySlice<UInt32>
  ) {
    let separator: UInt32 = line.contains(0x09) ? 0x09 : 0x20
    let columns = line.split(separator: separator)
    guard columns.count >= 2, let word = columns.first, let label = columns.last else {
      throw DataError(
        "expected a token, a tab or space and a label, found one column (\(line.shown)); blank lines end streams",
        path: file, line: number)
    }
    return (word, label)
  }
}

extension Collection<UInt32> {
  /// The beginning of this text, quoted for a message.
  var shown: String {
    String(decoding: prefix(40).utf8, as: UTF8.self).debugDescription + (count > 40 ? "..." : "")
  }
}
