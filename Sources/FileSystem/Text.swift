extension String {
  /// The text with its control characters escaped, as names of files may hold them: none reaches a terminal.
  ///
  /// - Parameter lines: Whether lines may end.
  package func printable(lines: Bool = false) -> String {
    guard unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      let isLineEnd = lines && scalar == "\n"
      if scalar.properties.generalCategory == .control && !isLineEnd {
        text += scalar.escaped(asASCII: true)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
