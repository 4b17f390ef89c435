import FileSystem

/// Makes a dataset from texts.
///
/// They are read twice, block by block: first for the vocabulary (not for bytes), then for the tokens. Memory grows
/// with the vocabulary and the number of streams, not with the text.
package struct TextImport: Sendable {
  /// The texts, in their order: files, folders, patterns such as `books/*.txt`, and `-` for standard input.
  package var names: [String]
  /// What the names of files in folders must match, such as `*.txt`; nil for all.
  package var pattern: String?
  /// What a token is.
  package var level: TokenLevel
  /// What a stream is. A stream that would have no token is left out.
  package var streams: StreamKind
  /// How the text is divided.
  package var split: SplitPlan
  /// What becomes of lines that end with CR LF.
  package var newlines: Newlines
  /// Words that occur less often become the unknown token.
  package var minimumCount: Int?
  /// Words that are not among the most frequent, so many with the unknown token, become the unknown token.
  package var maximumSize: Int?

  /// An import of these texts.
  ///
  /// - Throws: `DataError` where there is none, or a limit of the vocabulary is given for a level other than words,
  ///   or is too small.
  package init(
    files names: [String], matching pattern: String? = nil, level: TokenLevel, streams: StreamKind,
    split: SplitPlan, newlines: Newlines = .keep, minimumCount: Int? = nil, maximumSize: Int? = nil
  ) throws {
    guard !names.isEmpty else { throw DataError("there are no files to import") }
    guard TokenLevel.ofText.contains(level) else {
      throw DataError(
        "text is not cut into \(level.rawValue)s; take one of \(TokenLevel.ofText.map(\.rawValue))")
    }
    guard level == .word || (minimumCount == nil && maximumSize == nil) else {
      throw DataError("a minimum count or maximum size is for words; the level is \(level.rawValue)")
    }
    guard minimumCount ?? 1 >= 1 else {
      throw DataError("the minimum count is \(minimumCount ?? 1), expected 1 or more")
    }
    guard maximumSize ?? 2 >= 2 else {
      throw DataError(
        "the maximum size is \(maximumSize ?? 2), expected 2 or more: the unknown token and a word")
    }
    self.names = names
    self.pattern = pattern
    self.level = level
    self.streams = streams
    self.split = split
    self.newlines = newlines
    self.minimumCount = minimumCount
    self.maximumSize = maximumSize
  }

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
    let sources = try TextSource.all(names, matching: pattern, keptIn: Files.directory(of: output))
    let reader = try TextReader(
      sources, level: level, newlines: newlines, passes: level == .byte ? 1 : 2, progress: progress)
    let vocabulary = try self.vocabulary(sources, reader)
    let origin = DatasetOrigin(command: command, files: Array(zip(sources.map(\.name), reader.sizes)))
    var traits: [TextTraits] = []
    try DatasetWriter.create(output, vocabulary: vocabulary, origin: origin) { writer in
      traits = try append(sources, reader, to: writer, vocabulary)
      return try split.splits(offsets: writer.streamOffsets)
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

  private func vocabulary(_ sources: [TextSource], _ reader: TextReader) throws -> Vocabulary {
    switch level {
    case .byte:
      guard reader.sizes.contains(where: { $0 > 0 }) else { throw noText }
      return .bytes
    case .char: return try characters(sources, reader)
    case .word, .label: return try words(sources, reader)
    }
  }

  private var noText: DataError {
    let more = names.count > 3 ? ", ..." : ""
    return DataError("there is no text in \(names.prefix(3).joined(separator: ", "))\(more)")
  }

  private func characters(_ sources: [TextSource], _ reader: TextReader) throws -> Vocabulary {
    var occurs = [Bool](repeating: false, count: 0x110000)
    for source in sources {
      try reader.read(source) { for unit in $0 { occurs[Int(unit)] = true } }
    }
    let spellings = occurs.indices.lazy.filter { occurs[$0] }
      .compactMap { Unicode.Scalar(UInt32($0)) }.map { String($0) }
    guard !spellings.isEmpty else { throw noText }
    return try Vocabulary(level: .char, spellings: Array(spellings))
  }

  private func words(_ sources: [TextSource], _ reader: TextReader) throws -> Vocabulary {
    var counts: [[UInt8]: Int] = [:]
    for source in sources {
      var tokenizer = WordTokenizer()
      try reader.read(source) {
        for unit in $0 { tokenizer.feed(TokenEncoder.scalar(unit)) { counts[$0, default: 0] += 1 } }
      }
      tokenizer.finish { counts[$0, default: 0] += 1 }
    }
    guard !counts.isEmpty else { throw noText }
    var words = Array(counts)
    if let minimumCount { words.removeAll { $0.value < minimumCount } }
    if let maximumSize, words.count >= maximumSize {
      words.sort { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
      words.removeSubrange((maximumSize - 1)...)
    }
    words.sort { $0.key.lexicographicallyPrecedes($1.key) }
    let isLimited = minimumCount != nil || maximumSize != nil
    return try Vocabulary(
      level: .word,
      spellings: (isLimited ? [Vocabulary.unknownSpelling] : [])
        + words.map { String(decoding: $0.key, as: UTF8.self) },
      unknown: isLimited ? 0 : nil)
  }

  // MARK: The tokens

  private func append(
    _ sources: [TextSource], _ reader: TextReader, to writer: DatasetWriter, _ vocabulary: Vocabulary
  ) throws -> [TextTraits] {
    var cutter = StreamCutter(streams)
    let traits = try sources.map { source in
      var encoder = TokenEncoder(vocabulary)
      do {
        let traits = try reader.read(source) { units in
          for unit in units {
            try encoder.feed(unit) { try writer.append($0) }
            if let end = cutter.take(unit, tokens: writer.tokenCount) { writer.endStream(at: end) }
          }
        }
        try encoder.finish { try writer.append($0) }
        if let end = cutter.endFile(tokens: writer.tokenCount) { writer.endStream(at: end) }
        return traits
      } catch is TokenEncoder.UnknownToken {
        throw DataError("has changed while it was read; import it again", path: source.name)
      }
    }
    writer.endStream()
    return traits
  }
}
