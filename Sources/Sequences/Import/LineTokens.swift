extension Vocabulary {
  /// The tokens of each line of a text, none of one that is empty or only space.
  ///
  /// - Throws: `DataError` with the line where it has a token that the vocabulary has not, or is no UTF-8; or where the text
  ///   can't be read.
  package func encodeLines(of source: TextSource) throws -> [[Int32]] {
    let reader = try TextReader([source], level: level)
    var lines: [[Int32]] = []
    try reader.readLines(source) { line, number in
      var tokens: [Int32] = []
      defer { lines.append(tokens) }
      guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return }
      var encoder = TokenEncoder(self)
      do {
        for unit in line { try encoder.feed(unit) { tokens.append($0) } }
        try encoder.finish { tokens.append($0) }
      } catch let unknown as TokenEncoder.UnknownToken {
        throw DataError(
          "\(String(decoding: unknown.spelling, as: UTF8.self).debugDescription) is not in the vocabulary of "
            + "\(text)", path: source.name, line: number)
      }
    }
    return lines
  }
}
