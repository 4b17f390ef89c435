import FileSystem

/// Makes a dataset from text files.
///
/// Files are read twice, block by block: first for the vocabulary (not for bytes), then for the tokens. Memory grows
/// with the vocabulary and the number of streams, not with the text.
public struct TextImport: Sendable {
  /// The files, in their order.
  public var files: [String]
  /// What a token is.
  public var level: TokenLevel
  /// What a stream is. A stream that would have no token is left out.
  public var streams: StreamKind
  /// How the text is divided.
  public var split: SplitPlan
  /// Words that occur less often become the unknown token.
  public var minimumCount: Int?
  /// Words that are not among the most frequent, so many with the unknown token, become the unknown token.
  public var maximumSize: Int?

  /// An import of these files.
  ///
  /// - Throws: `DataError` where there is no file, or a limit of the vocabulary is given for a level other than words,
  ///   or is too small.
  public init(
    files: [String], level: TokenLevel, streams: StreamKind, split: SplitPlan, minimumCount: Int? = nil,
    maximumSize: Int? = nil
  ) throws {
    guard !files.isEmpty else { throw DataError("there are no files to import") }
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
    self.files = files
    self.level = level
    self.streams = streams
    self.split = split
    self.minimumCount = minimumCount
    self.maximumSize = maximumSize
  }

  /// Makes the dataset `output`, whole or not at all.
  ///
  /// - Parameter command: what the dataset says of its origin.
  /// - Throws: `DataError` where a file cannot be read, is no UTF-8 or has changed meanwhile, where there is no text or
  ///   a split would be empty; `FileError` or `HDF5Error` where `output` exists or cannot be written.
  public func run(output: String, command: String) throws {
    // Before the text is read, which may take long.
    try Files.requirePlace(for: output, existing: .refuse)
    let vocabulary = try self.vocabulary()
    let sizes = try files.map { try TextFile.with($0) { $0.bytes } }
    let origin = DatasetOrigin(command: command, files: Array(zip(files, sizes)))
    try DatasetWriter.create(output, vocabulary: vocabulary, origin: origin) { writer in
      try append(to: writer, vocabulary)
      return try split.splits(offsets: writer.streamOffsets)
    }
  }

  // MARK: The vocabulary

  private func vocabulary() throws -> Vocabulary {
    switch level {
    case .byte:
      guard try files.contains(where: { try TextFile.with($0) { $0.bytes > 0 } }) else { throw noText }
      return .bytes
    case .char: return try characters()
    case .word: return try words()
    }
  }

  private var noText: DataError { DataError("there is no text in \(files.joined(separator: ", "))") }

  private func characters() throws -> Vocabulary {
    var occurs = [Bool](repeating: false, count: 0x110000)
    for file in files {
      try TextFile.with(file) { try $0.forEachBlock(level) { for unit in $0 { occurs[Int(unit)] = true } } }
    }
    let spellings = occurs.indices.lazy.filter { occurs[$0] }
      .compactMap { Unicode.Scalar(UInt32($0)) }.map { String($0) }
    guard !spellings.isEmpty else { throw noText }
    return try Vocabulary(level: .char, spellings: Array(spellings))
  }

  private func words() throws -> Vocabulary {
    var counts: [[UInt8]: Int] = [:]
    for file in files {
      try TextFile.with(file) { file in
        var tokenizer = WordTokenizer()
        try file.forEachBlock(level) {
          for unit in $0 { tokenizer.feed(scalar(unit)) { counts[$0, default: 0] += 1 } }
        }
        tokenizer.finish { counts[$0, default: 0] += 1 }
      }
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

  /// What the decoder lets through is always a scalar value.
  private func scalar(_ unit: UInt32) -> Unicode.Scalar { Unicode.Scalar(unit) ?? "\u{FFFD}" }

  // MARK: The tokens

  private func append(to writer: DatasetWriter, _ vocabulary: Vocabulary) throws {
    var cutter = StreamCutter(streams)
    for file in files {
      try TextFile.with(file) { file in
        var encoder = TokenEncoder(vocabulary, path: file.path)
        try file.forEachBlock(level) { units in
          for unit in units {
            try encoder.feed(unit, to: writer)
            if let end = cutter.take(unit, tokens: writer.tokenCount) { writer.endStream(at: end) }
          }
        }
        try encoder.finish(to: writer)
        if let end = cutter.endFile(tokens: writer.tokenCount) { writer.endStream(at: end) }
      }
    }
    writer.endStream()
  }
}

/// Turns the units of one file into tokens.
private struct TokenEncoder {
  private let words: WordNumbers
  private let level: TokenLevel
  private var tokenizer = WordTokenizer()
  /// The token of each scalar value up to the largest in the vocabulary; -1 where there is none.
  private let characters: [Int32]

  init(_ vocabulary: Vocabulary, path: String) {
    words = WordNumbers(vocabulary: vocabulary, path: path)
    level = vocabulary.level
    let scalars = level == .char ? vocabulary.spellings.compactMap(\.unicodeScalars.first) : []
    var characters = [Int32](repeating: -1, count: Int(scalars.map(\.value).max() ?? 0) + 1)
    for (scalar, token) in zip(scalars, Int32(0)...) { characters[Int(scalar.value)] = token }
    self.characters = characters
  }

  mutating func feed(_ unit: UInt32, to writer: DatasetWriter) throws {
    switch level {
    case .byte: try writer.append(Int32(unit))
    case .char:
      guard unit < characters.count, characters[Int(unit)] >= 0 else { throw words.hasChanged }
      try writer.append(characters[Int(unit)])
    case .word:
      try tokenizer.feed(Unicode.Scalar(unit) ?? "\u{FFFD}") { [words] in
        try writer.append(words.token(spelt: $0))
      }
    }
  }

  mutating func finish(to writer: DatasetWriter) throws {
    try tokenizer.finish { [words] in try writer.append(words.token(spelt: $0)) }
  }
}

/// The tokens of the words of one file.
private struct WordNumbers {
  let vocabulary: Vocabulary
  let path: String

  func token(spelt word: [UInt8]) throws -> Int32 {
    guard let token = vocabulary.token(spelt: word) else { throw hasChanged }
    return token
  }

  var hasChanged: DataError { DataError("has changed while it was read; import it again", path: path) }
}
