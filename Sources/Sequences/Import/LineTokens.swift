extension Vocabulary {
  /// The tokens of each line of a text, none of one that is empty or only space.
  ///
  /// - Throws: `DataError` with the line where it has a token that the vocabulary has not, or is no UTF-8; or where the text
  ///   can't be read.
  package func encodeLines(of source: TextSource) throws -> [[Int32]] {
    let reader = try TextReader([source], level: level)
    var encoder = TokenEncoder(self)
    var lines: [[Int32]] = []
    try reader.readLines(source) { line, number in
      var tokens: [Int32] = []
      defer { lines.append(tokens) }
      guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return }
      do { try encoder.encode(line, to: &tokens) } catch let unknown as TokenEncoder.UnknownToken {
        throw DataError(
          "\(unknown.shown) is not in the vocabulary of \(text)", path: source.name, line: number)
      }
    }
    return lines
  }
}
