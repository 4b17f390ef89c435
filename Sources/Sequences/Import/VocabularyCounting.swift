extension Vocabulary {
  /// - Throws: `DataError` where a minimum count is less than 1.
  static func checked(minimumCount: Int) throws -> Int {
    guard minimumCount >= 1 else {
      throw DataError("the minimum count is \(minimumCount), expected 1 or more")
    }
    return minimumCount
  }

  /// How the unknown token of a level is spelt. For words no text has it: the tokenizer splits its punctuation off. For
  /// characters it is the one that Unicode has for what can't be shown.
  static func unknownSpelling(_ level: TokenLevel) -> String {
    level == .char ? "\u{FFFD}" : "<unk>"
  }

  /// The characters or words that occur, by their UTF-8 and how often; with a limit, those left out become the unknown
  /// token, which is the first.
  ///
  /// - Parameters:
  ///   - minimumCount: What occurs less often is left out.
  ///   - maximumSize: What is not among the most frequent, so many with the unknown token, is left out.
  /// - Throws: `DataError` where nothing occurs.
  init(
    level: TokenLevel, counting counts: [[UInt8]: Int], minimumCount: Int? = nil, maximumSize: Int? = nil
  ) throws {
    let isLimited = minimumCount != nil || maximumSize != nil
    let unknown = Self.unknownSpelling(level)
    var kept = Array(counts)
    if isLimited { kept.removeAll { $0.key == Array(unknown.utf8) || $0.value < minimumCount ?? 1 } }
    if let maximumSize, kept.count >= maximumSize {
      kept.sort { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
      kept.removeSubrange((maximumSize - 1)...)
    }
    kept.sort { $0.key.lexicographicallyPrecedes($1.key) }
    try self.init(
      level: level,
      spellings: (isLimited ? [unknown] : []) + kept.map { String(decoding: $0.key, as: UTF8.self) },
      unknown: isLimited ? 0 : nil)
  }
}
