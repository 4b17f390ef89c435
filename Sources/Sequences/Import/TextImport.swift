import FileSystem
import HDF5

/// Makes a dataset from texts.
///
/// They are read twice, block by block: first for the vocabulary (not for bytes), then for the tokens. Where they are divided,
/// and tokens are subwords, a reading before these two finds the training part. Memory grows with the different words and the
/// number of streams, not with the text.
package struct TextImport: Sendable {
  /// The texts, in their order: files, folders, patterns such as `books/*.txt`, and `-` for standard input; and how they
  /// are divided.
  package var parts: PartPlan
  /// What the names of files in folders must match, such as `*.txt`; nil for all.
  package var pattern: String?
  private let plan: VocabularyPlan
  /// What a stream is. A stream that would have no token is left out.
  package var streams: StreamKind
  /// What becomes of lines that end with CR LF.
  package var newlines: Newlines
  /// The dataset or checkpoint whose vocabulary the text is to have; nil where it gets one of its own.
  package var vocabularySource: String?

  /// An import of these texts.
  ///
  /// - Parameters:
  ///   - level: What a token is.
  ///   - minimumCount: Characters or words that occur less often become the unknown token.
  ///   - maximumSize: Characters or words that are not among the most frequent, so many with the unknown token, become the
  ///     unknown token.
  ///   - subwords: How subwords are chosen.
  /// - Throws: `DataError` where there is none, or how a vocabulary is to be made is said for other levels or beside another
  ///   dataset's vocabulary, or a limit is too small.
  package init(
    _ parts: PartPlan, matching pattern: String? = nil, level: TokenLevel, streams: StreamKind,
    newlines: Newlines = .keep, vocabularySource: String? = nil, minimumCount: Int? = nil,
    maximumSize: Int? = nil, subwords: SubwordPlan? = nil
  ) throws {
    guard parts.groups.allSatisfy({ !$0.isEmpty }) else { throw DataError("there are no files to import") }
    guard TokenLevel.ofText.contains(level) else {
      throw DataError(
        "text is not cut into \(level.rawValue)s; take one of \(TokenLevel.ofText.map(\.rawValue))")
    }
    plan = try VocabularyPlan(
      level, minimumCount: minimumCount, maximumSize: maximumSize, subwords: subwords)
    guard vocabularySource == nil || (!plan.isLimited && subwords == nil) else {
      throw DataError(
        "\(plan.isLimited ? "a minimum count or maximum size is" : "--pieces and --pieces-by are") for a vocabulary of the "
          + "text's own; leave it out, or the other vocabulary")
    }
    self.parts = parts
    self.pattern = pattern
    self.streams = streams
    self.newlines = newlines
    self.vocabularySource = vocabularySource
  }

  private var level: TokenLevel { plan.level }

  /// Makes the dataset `output`, whole or not at all.
  ///
  /// - Parameters:
  ///   - command: What the dataset says of its origin.
  ///   - progress: Told which part of the reading is done.
  /// - Returns: What whoever made the texts may not know of them, in sentences.
  /// - Throws: `DataError` where a text cannot be read, is no UTF-8 or has changed meanwhile, where there is no text or
  ///   a split would be empty; `FileError` or `HDF5Error` where `output` exists or cannot be written.
  @discardableResult
  package func run(
    output: String, command: String, progress: @escaping (Double) -> Void = { _ in }
  ) throws -> [String] {
    // Before the text is read, which may take long.
    try Files.requirePlace(for: output, existing: .refuse)
    let given = try vocabularySource.map { try Vocabulary(of: $0, level: level) }
    let groups = try parts.sources(matching: pattern, keptIn: Files.directory(of: output))
    let sources = groups.flatMap(\.self)
    // Subwords are those of the training part alone, which so must be known before there are tokens.
    let isPlannedAhead = if case .fractions = parts { level == .subword && given == nil } else { false }
    let reader = try TextReader(
      sources, level: level, newlines: newlines,
      passes: level == .byte || given != nil ? 1 : isPlannedAhead ? 3 : 2, progress: progress)
    var ends = PartEnds(isPlannedAhead ? try characterEnds(sources, reader) : [])
    // That of the training texts, where there are such.
    let vocabulary = try given ?? self.vocabulary(groups[0], reader, training: ends)
    let origin = DatasetOrigin(command: command, files: Array(zip(sources.map(\.name), reader.sizes)))
    var traits: [TextTraits] = []
    try DatasetWriter.create(output, vocabulary: vocabulary, origin: origin) { writer in
      let streams = try groups.map { group in
        traits += try append(group, reader, to: writer, vocabulary, &ends)
        return writer.streamOffsets.count - 1
      }
      return try isPlannedAhead
        ? ends.splits(tokens: writer.tokenCount)
        : parts.splits(offsets: writer.streamOffsets, ends: streams)
    }
    return remarks(traits)
  }

  private func remarks(_ traits: [TextTraits]) -> [String] {
    var remarks: [String] = []
    let marks = traits.count { $0.hasMark }
    if marks > 0 { remarks.append("left out the byte order mark of \(Wording.counted(marks, "file"))") }
    let lines = traits.reduce(0) { $0 + $1.returnedLines }
    // For words, a carriage return is white space as any other.
    if lines > 0 && newlines == .keep && level != .word {
      remarks.append(
        "\(Wording.counted(lines, "line")) ending in CR LF, where CR is a token of its own; --newlines unix leaves it out"
      )
    }
    return remarks
  }

  // MARK: The vocabulary

  private func vocabulary(
    _ sources: [TextSource], _ reader: TextReader, training: PartEnds
  ) throws -> Vocabulary {
    guard level != .byte else {
      guard reader.sizes.contains(where: { $0 > 0 }) else { throw noText }
      return .bytes
    }
    let counts =
      switch level {
      case .char: try characters(sources, reader)
      case .subword: try subwordWords(sources, reader, training)
      default: try words(sources, reader)
      }
    guard !counts.isEmpty else { throw noText }
    return try plan.vocabulary(counting: counts)
  }

  private var noText: DataError {
    let names = parts.groups[0]
    let more = names.count > 3 ? ", ..." : ""
    return DataError("there is no text in \(names.prefix(3).joined(separator: ", "))\(more)")
  }

  private func characters(_ sources: [TextSource], _ reader: TextReader) throws -> [[UInt8]: Int] {
    var counts = [Int](repeating: 0, count: 0x110000)
    for source in sources {
      try reader.read(source) { for unit in $0 { counts[Int(unit)] += 1 } }
    }
    let occurring = counts.indices.filter { counts[$0] > 0 }
    return Dictionary(
      uniqueKeysWithValues: occurring.map { (CollectionOfOne(UInt32($0)).utf8, counts[$0]) })
  }

  private func words(_ sources: [TextSource], _ reader: TextReader) throws -> [[UInt8]: Int] {
    var counts: [[UInt8]: Int] = [:]
    for source in sources {
      var tokenizer = WordTokenizer()
      try reader.read(source) {
        for unit in $0 { tokenizer.feed(TokenEncoder.scalar(unit)) { counts[$0, default: 0] += 1 } }
      }
      tokenizer.finish { counts[$0, default: 0] += 1 }
    }
    return counts
  }

  /// The words of which subwords are pieces, of the training part.
  private func subwordWords(
    _ sources: [TextSource], _ reader: TextReader, _ training: PartEnds
  ) throws -> [[UInt8]: Int] {
    var (counts, ends) = ([[UInt8]: Int](), training)
    for source in sources {
      var cutter = SubwordCutter()
      try reader.read(source) {
        for unit in $0 where !ends.hasPassed {
          ends.take(isBetweenWords: cutter.isBetweenWords, tokens: 0)
          if ends.hasPassed { break }
          cutter.feed(TokenEncoder.scalar(unit)) { counts[$0, default: 0] += 1 }
        }
      }
      cutter.finish { counts[$0, default: 0] += 1 }
    }
    return counts
  }

  /// The number of characters up to the end of each part, as they are divided.
  private func characterEnds(_ sources: [TextSource], _ reader: TextReader) throws -> [Int] {
    var (count, offsets, cutter) = (0, [0], StreamCutter(streams))
    func endStream(_ end: Int?) { if let end, end > offsets[offsets.count - 1] { offsets.append(end) } }
    for source in sources {
      try reader.read(source) {
        for unit in $0 {
          count += 1
          endStream(cutter.take(unit, tokens: count))
        }
      }
      endStream(cutter.endFile(tokens: count))
    }
    endStream(count)
    guard count > 0 else { throw noText }
    return try parts.splits(offsets: offsets, ends: []).map(\.range.upperBound)
  }

  // MARK: The tokens

  private func append(
    _ sources: [TextSource], _ reader: TextReader, to writer: DatasetWriter, _ vocabulary: Vocabulary,
    _ ends: inout PartEnds
  ) throws -> [TextTraits] {
    var cutter = StreamCutter(streams)
    var encoder = TokenEncoder(vocabulary)
    let traits = try sources.map { source in
      do {
        let traits = try reader.read(source) { units in
          for unit in units {
            if ends.areComing {
              ends.take(isBetweenWords: encoder.isBetweenWords, tokens: writer.tokenCount)
            }
            try encoder.feed(unit) { try writer.append($0) }
            if let end = cutter.take(unit, tokens: writer.tokenCount) { writer.endStream(at: end) }
          }
        }
        try encoder.finish { try writer.append($0) }
        if let end = cutter.endFile(tokens: writer.tokenCount) { writer.endStream(at: end) }
        return traits
      } catch let unknown as TokenEncoder.UnknownToken {
        throw unknownToken(unknown, in: source)
      }
    }
    writer.endStream()
    return traits
  }

  private func unknownToken(_ token: TokenEncoder.UnknownToken, in source: TextSource) -> DataError {
    let shown = token.shown
    if let vocabularySource {
      return DataError(
        "\(shown) is not in the vocabulary of \(vocabularySource), which has no unknown token; make that dataset anew "
          + "with --minimum-count 2, or leave the \(level.rawValue) out", path: source.name)
    }
    guard case .files = parts else {
      return DataError("has changed while it was read; import it again", path: source.name)
    }
    return DataError(
      "\(shown) does not occur in the training text; with --minimum-count 2 it becomes the unknown token",
      path: source.name)
  }
}

/// Where parts of a text end that are counted in characters: with the word there.
private struct PartEnds {
  private var coming: ArraySlice<Int>
  private var characters = 0
  private var tokens: [Int] = []

  /// Ends at so many characters.
  init(_ ends: [Int]) { coming = ends[...] }

  /// Whether a part has not ended yet.
  var areComing: Bool { !coming.isEmpty }

  /// Whether the first part has ended.
  var hasPassed: Bool { !tokens.isEmpty }

  /// Takes the next character, before which there are so many tokens, of whole words or not.
  mutating func take(isBetweenWords: Bool, tokens count: Int) {
    while let end = coming.first, characters >= end, isBetweenWords {
      tokens.append(count)
      coming.removeFirst()
    }
    characters += 1
  }

  /// The parts of a text of so many tokens, all of which has been taken.
  func splits(tokens count: Int) throws -> [DatasetWriter.Split] {
    let ends = tokens + coming.map { _ in count }
    return try zip(SplitPlan.names, zip([0] + ends, ends)).map { name, range in
      guard range.0 < range.1 else {
        throw DataError(
          "split \(name) would be empty: parts end with words, and none is left for it; give it a larger part, or more data"
        )
      }
      return DatasetWriter.Split(name: name, range: range.0..<range.1)
    }
  }
}

extension Vocabulary {
  /// The vocabulary of text of this level that a dataset or checkpoint has.
  ///
  /// - Throws: `HDF5Error` where it can't be read; `DataError` where its tokens are others.
  fileprivate init(of path: String, level: TokenLevel) throws {
    let file = try File.open(
      path, advice: "name a dataset or a checkpoint, whose vocabulary the text is to have")
    let places = ["vocabulary", "input/vocabulary", "data/input/vocabulary"]
    guard let place = try places.first(where: { try file.exists($0) }) else {
      throw DataError("has no vocabulary of tokens; name another dataset or checkpoint", path: path)
    }
    try self.init(from: file, path: place)
    guard self.level == level else {
      throw DataError(
        "has a vocabulary of \(self.level.rawValue)s, expected \(level.rawValue)s; say --level \(self.level.rawValue)",
        path: path)
    }
  }
}
