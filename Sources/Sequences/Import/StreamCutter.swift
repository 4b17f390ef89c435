/// What a stream of imported text is.
package enum StreamKind: String, Sendable, CaseIterable {
  /// A file.
  case file
  /// A line, with its line feed.
  case line
  /// Lines up to a blank one, and the blank ones that follow.
  case paragraph
  /// All files together.
  case whole
}

/// Finds where streams of text begin. It counts tokens, so that the ends lie between tokens.
struct StreamCutter {
  let kind: StreamKind
  /// The token at which the current line begins.
  private var lineStart = 0
  private var lineIsBlank = true
  /// Whether the line before was blank, behind one of the stream that was not.
  private var isBehindGap = false
  private var hasText = false

  init(_ kind: StreamKind) { self.kind = kind }

  /// Takes the next unit of the text, a byte or a scalar value, behind which there are `tokens` tokens. Returns the
  /// token at which a stream ends, if one does.
  mutating func take(_ unit: UInt32, tokens: Int) -> Int? {
    switch kind {
    case .file, .whole: return nil
    case .line: return unit == 0x0A ? tokens : nil
    case .paragraph: break
    }
    if unit == 0x0A {
      if lineIsBlank { isBehindGap = hasText }
      lineStart = tokens
      lineIsBlank = true
      return nil
    }
    guard lineIsBlank, unit != 0x20, unit != 0x09, unit != 0x0D else { return nil }
    lineIsBlank = false
    hasText = true
    defer { isBehindGap = false }
    return isBehindGap ? lineStart : nil
  }

  /// Takes the end of a file, behind which there are `tokens` tokens; returns as `take` does.
  mutating func endFile(tokens: Int) -> Int? {
    if kind == .whole { return nil }
    self = StreamCutter(kind)
    lineStart = tokens
    return tokens
  }
}
