import Chunks
import FileSystem

/// Makes a dataset of pairs of texts: the lines of two files, or "source<TAB>target" in each line of one.
///
/// A target stands between a begin and an end token, and each of its tokens is predicted from those before it. A pair
/// with an empty side is left out.
package struct PairsImport: DatasetImport {
  private let parts: PartPlan
  private let vocabulary: VocabularyPlan
  private let longest: Int?
  private let isShared: Bool
  /// Whether sources and targets are the lines of a file each.
  private let isParallel: Bool

  /// An import of these parts: of fractions of two files, which are sources and targets; otherwise each file has both.
  ///
  /// - Parameters:
  ///   - level: What a token is.
  ///   - minimumCount: Characters or words that occur less often in the training part become the unknown token; 2 where left
  ///     out.
  ///   - subwords: How subwords are chosen.
  ///   - longest: Pairs of which a side has more tokens, the target's end among them, are left out.
  ///   - isShared: Whether sources and targets have one vocabulary.
  /// - Throws: `DataError` where the minimum count or `longest` is less than 1, the first or the plan for subwords is for other
  ///   levels, or there are more than two files to be divided.
  package init(
    _ parts: PartPlan, level: TokenLevel = .word, minimumCount: Int? = nil, subwords: SubwordPlan? = nil,
    longest: Int? = nil, isShared: Bool = false
  ) throws {
    self.parts = parts
    vocabulary = try .withUnknown(level, minimumCount: minimumCount, subwords: subwords)
    self.longest = longest
    self.isShared = isShared
    if let longest, longest < 1 { throw DataError("--longest is \(longest), expected 1 or more") }
    guard case .fractions(let files, _) = parts else {
      isParallel = false
      return
    }
    isParallel = files.count == 2
    guard files.count <= 2 else { throw Self.wrongFiles(files.count) }
  }

  private static func wrongFiles(_ count: Int) -> DataError {
    DataError(
      "there are \(count) files, expected two, whose lines are sources and targets, or one with lines \"source<TAB>target\""
    )
  }

  package func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String]) {
    let texts = try ImportedTexts(
      parts, level: vocabulary.level, command: command, keptIn: directory, progress: progress)
    var pairs = PairedText(vocabulary.level, isShared: isShared, longest: longest)
    var ends: [Int] = []
    if isParallel {
      let sources = texts.groups[0]
      guard sources.count == 2 else { throw Self.wrongFiles(sources.count) }
      try pairs.read(sources[0], beside: sources[1], texts.reader)
    } else {
      ends = try texts.read { source, _ in
        try pairs.read(source, texts.reader)
      } streams: {
        pairs.count
      }
    }
    guard pairs.count > 0 else {
      throw pairs.remark.map { DataError("there is no pair: \($0)") } ?? texts.without("pair of texts")
    }
    let content = try pairs.content(vocabulary, origin: texts.origin) {
      try parts.splits(offsets: $0, ends: ends)
    }
    return (content, pairs.remark.map { [$0] } ?? [])
  }
}

/// Pairs of texts, as they are read.
struct PairedText {
  /// One for sources and one for targets, or one for both.
  private var lexicons: [Lexicon]
  private let longest: Int?
  private var sources = NumberedTexts()
  private var targets = NumberedTexts()
  /// The pairs left out because a side is empty, or too long.
  private var leftOut = (empty: 0, long: 0)

  /// None yet.
  init(_ level: TokenLevel, isShared: Bool, longest: Int?) {
    lexicons = Array(repeating: Lexicon(level), count: isShared ? 1 : 2)
    self.longest = longest
  }

  var count: Int { sources.count }

  /// What has been left out, for people.
  var remark: String? {
    let reasons =
      (leftOut.empty > 0 ? ["\(leftOut.empty) with an empty side"] : [])
      + (leftOut.long > 0 ? ["\(leftOut.long) longer than --longest \(longest ?? 0)"] : [])
    guard !reasons.isEmpty else { return nil }
    return
      "\(Wording.counted(leftOut.empty + leftOut.long, "pair")) left out: \(reasons.joined(separator: ", "))"
  }

  /// Adds the lines "source<TAB>target" of a text; what stands behind another tab is left out.
  ///
  /// - Throws: `DataError` where a line that is not empty has no tab, and as `TextReader.read`.
  mutating func read(_ source: TextSource, _ reader: TextReader) throws {
    try reader.readLines(source) { line, number in
      guard !line.isEmpty else { return }
      let columns = line.split(separator: 0x09, maxSplits: 2, omittingEmptySubsequences: false)
      guard columns.count >= 2 else {
        throw DataError(
          "expected a source, a tab and a target, found no tab in \(line.shown)", path: source.name,
          line: number)
      }
      append(tokens(of: columns[0], isTarget: false)[...], tokens(of: columns[1], isTarget: true))
    }
  }

  /// Adds the lines of one text, which are sources, with those of another, their targets.
  ///
  /// - Throws: `DataError` where one has more lines, and as `TextReader.read`.
  mutating func read(_ source: TextSource, beside target: TextSource, _ reader: TextReader) throws {
    var lines = NumberedTexts()
    try reader.readLines(source) { line, _ in lines.append(tokens(of: line, isTarget: false)) }
    var count = 0
    try reader.readLines(target) { line, number in
      count = number
      if number <= lines.count { append(lines[number - 1], tokens(of: line, isTarget: true)) }
    }
    guard count != lines.count else { return }
    let longer = count > lines.count ? target : source
    throw DataError(
      "\(source.name) has \(Wording.counted(lines.count, "line")), but \(target.name) has \(count); expected the same number, a "
        + "source and its target in each: line \(min(count, lines.count) + 1) of \(longer.name) has no partner"
    )
  }

  private mutating func tokens(of text: some Collection<UInt32>, isTarget: Bool) -> [Int32] {
    lexicons[isTarget ? lexicons.count - 1 : 0].tokens(of: text)
  }

  private mutating func append(_ source: ArraySlice<Int32>, _ target: [Int32]) {
    guard !source.isEmpty && !target.isEmpty else {
      leftOut.empty += 1
      return
    }
    // How many subwords there are is known only when there is a model of them.
    add(source, target, longest: lexicons[0].level == .subword ? nil : longest)
  }

  private mutating func add(
    _ source: some Collection<Int32>, _ target: some Collection<Int32>, longest: Int?
  ) {
    guard max(source.count, target.count + 1) <= longest ?? .max else {
      leftOut.long += 1
      return
    }
    sources.append(source)
    targets.append(target)
  }

  /// The pairs as a dataset, with the vocabularies of the training split. Those that turn out to have too many subwords are left
  /// out of it.
  ///
  /// - Parameter splits: Divides streams between such offsets, the training split first.
  mutating func content(
    _ plan: VocabularyPlan, origin: DatasetOrigin, _ splits: ([Int]) throws -> [DatasetWriter.Split]
  ) throws -> DatasetContent {
    let offsets = targets.targetOffsets
    let splits = try splits(offsets)
    let (read, said) = try vocabularies(of: targets.targets(at: splits[0].range), plan)
    let begins = try encode(read, said)
    guard count > 0 else { throw DataError("there is no pair: \(remark ?? "")") }
    return DatasetContent(
      try DataDescription([.input: .tokens(said)], horizon: 1, source: .tokens(read)),
      offsets: targets.targetOffsets, splits: splits.moved(from: offsets, to: begins),
      values: [.input: targets.targets(said)], source: (sources.offsets, .tokens(sources.tokens)),
      origin: origin)
  }

  /// The vocabularies of sources and targets, of these pairs.
  private func vocabularies(
    of training: Range<Int>, _ plan: VocabularyPlan
  ) throws -> (read: Vocabulary, said: Vocabulary) {
    let (source, target) = (sources[training], targets[training])
    guard lexicons.count == 2 else {
      let shared = try lexicons[0].vocabulary((source + target)[...], plan).withEnds()
      return (shared, shared)
    }
    func vocabulary(_ side: Int, _ tokens: ArraySlice<Int32>) throws -> Vocabulary {
      do { return try lexicons[side].vocabulary(tokens, plan) } catch let error as DataError {
        throw DataError("\(["sources", "targets"][side]): \(error)")
      }
    }
    return (try vocabulary(0, source), try vocabulary(1, target).withEnds())
  }

  /// Has the vocabularies number the tokens. Pairs that have too many then are left out. Returns at which position of the targets
  /// each pair begins, or would if it were not left out, and where the last ends.
  private mutating func encode(_ read: Vocabulary, _ said: Vocabulary) throws -> [Int] {
    let encoded = (
      sources: try lexicons[0].encode(sources, read),
      targets: try lexicons[lexicons.count - 1].encode(targets, said)
    )
    (sources, targets) = (NumberedTexts(), NumberedTexts())
    var begins = [0]
    for pair in 0..<encoded.sources.count {
      add(encoded.sources[pair], encoded.targets[pair], longest: longest)
      begins.append(targets.tokens.count + 2 * targets.count)
    }
    return begins
  }
}
