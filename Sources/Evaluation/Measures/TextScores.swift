import Glibc

/// How texts that a model has said compare with those that it should have said: whole numbers, which add up over texts.
///
/// BLEU (Papineni et al. 2002) and chrF (Popovic 2015) are those of sacreBLEU (Post 2018) with its defaults, whose signatures are
/// `bleuSignature` and `chrfSignature`: of all texts together, against one reference each.
package struct TextScores: Equatable {
  package static let bleuSignature = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"
  package static let chrfSignature = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"

  /// Of n-grams of words up to four: those that are in the reference too, and all.
  private var matchedWords = [Int](repeating: 0, count: 4)
  private var words = [Int](repeating: 0, count: 4)
  /// The words of the texts, and of the references.
  private var lengths = (said: 0, reference: 0)
  /// Of n-grams of characters up to six: those in both, in the texts, in the references.
  private var matchedCharacters = [Int](repeating: 0, count: 6)
  private var saidCharacters = [Int](repeating: 0, count: 6)
  private var referenceCharacters = [Int](repeating: 0, count: 6)
  private var texts = 0
  private var exact = 0
  /// Tokens to insert, delete or replace, and those of the references.
  private var edits = 0
  private var referenceTokens = 0

  package init() {}

  package static func == (a: TextScores, b: TextScores) -> Bool { a.numbers == b.numbers }

  /// All numbers, which can be added to those of other texts.
  package var numbers: [Int] {
    matchedWords + words + [lengths.said, lengths.reference] + matchedCharacters + saidCharacters
      + referenceCharacters + [texts, exact, edits, referenceTokens]
  }

  /// Those numbers again.
  package init(numbers: [Int]) {
    var rest = numbers[...]
    func take(_ count: Int) -> [Int] {
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    (matchedWords, words) = (take(4), take(4))
    lengths = (take(1)[0], take(1)[0])
    (matchedCharacters, saidCharacters, referenceCharacters) = (take(6), take(6), take(6))
    (texts, exact, edits, referenceTokens) = (take(1)[0], take(1)[0], take(1)[0], take(1)[0])
  }

  /// Adds a text and its reference, as texts and as the model's tokens.
  ///
  /// - Parameter isComplete: Whether the model ended the text itself: one that was cut is no exact match, whatever it says.
  package mutating func add(
    _ said: String, _ reference: String, tokens: [Int32], ofReference referenceTokens: [Int32],
    isComplete: Bool
  ) {
    addWords(BLEUTokenizer.words(of: said), BLEUTokenizer.words(of: reference))
    addCharacters(Self.characters(of: said), Self.characters(of: reference))
    texts += 1
    exact += isComplete && tokens == referenceTokens ? 1 : 0
    edits += editDistance(tokens, referenceTokens)
    self.referenceTokens += referenceTokens.count
  }

  private mutating func addWords(_ said: [String], _ reference: [String]) {
    lengths.said += said.count
    lengths.reference += reference.count
    for n in 1...4 {
      let (found, _, matched) = Self.count(n, said, reference)
      words[n - 1] += found
      matchedWords[n - 1] += matched
    }
  }

  private mutating func addCharacters(_ said: [Unicode.Scalar], _ reference: [Unicode.Scalar]) {
    for n in 1...6 {
      let (found, wanted, matched) = Self.count(n, said, reference)
      // As sacreBLEU, which counts none where the reference has none of that length.
      saidCharacters[n - 1] += wanted > 0 ? found : 0
      referenceCharacters[n - 1] += wanted
      matchedCharacters[n - 1] += matched
    }
  }

  /// All but white space.
  private static func characters(of text: String) -> [Unicode.Scalar] {
    text.unicodeScalars.filter { !$0.properties.isWhitespace }
  }

  /// The n-grams of two series, and those of the first that are in the second too, each at most as often.
  private static func count<Element: Hashable>(
    _ n: Int, _ said: [Element], _ reference: [Element]
  ) -> (said: Int, reference: Int, matched: Int) {
    func grams(_ elements: [Element]) -> [ArraySlice<Element>: Int] {
      guard elements.count >= n else { return [:] }
      return (0...elements.count - n).reduce(into: [:]) { $0[elements[$1..<$1 + n], default: 0] += 1 }
    }
    let wanted = grams(reference)
    let matched = grams(said).reduce(0) { $0 + min($1.value, wanted[$1.key] ?? 0) }
    return (max(0, said.count - n + 1), max(0, reference.count - n + 1), matched)
  }

  /// BLEU in percent: the geometric mean of the shares of n-grams that match, those of none smoothed exponentially (Chen & Cherry
  /// 2014, method 3), times a penalty for texts that are too short.
  package var bleu: Double {
    guard matchedWords.contains(where: { $0 > 0 }), words[3] > 0 else { return 0 }
    var smoothing = 1.0
    var sum = 0.0
    for (matched, all) in zip(matchedWords, words) {
      if matched == 0 { smoothing *= 2 }
      sum += log(matched == 0 ? 100 / (smoothing * Double(all)) : 100 * Double(matched) / Double(all))
    }
    let penalty =
      lengths.said >= lengths.reference ? 1 : exp(1 - Double(lengths.reference) / Double(lengths.said))
    return penalty * exp(sum / 4)
  }

  /// chrF2 in percent: of the mean shares of n-grams of characters that match, the harmonic mean in which recall counts twice as
  /// much.
  package var chrf: Double {
    var (precision, recall, orders) = (0.0, 0.0, 0.0)
    for n in 0..<6 where saidCharacters[n] > 0 && referenceCharacters[n] > 0 {
      precision += Double(matchedCharacters[n]) / Double(saidCharacters[n])
      recall += Double(matchedCharacters[n]) / Double(referenceCharacters[n])
      orders += 1
    }
    guard precision + recall > 0 else { return 0 }
    (precision, recall) = (precision / orders, recall / orders)
    return 100 * 5 * precision * recall / (4 * precision + recall)
  }

  /// The share of texts that are their references, and end where those end.
  package var exactMatch: Double { Double(exact) / Double(texts) }

  /// The edits that texts need to become their references, for each token of those (Levenshtein 1966).
  package var editRate: Double { Double(edits) / Double(referenceTokens) }
}

/// The least number of elements to insert, delete or replace that turns one series into another (Levenshtein 1966).
func editDistance<Element: Equatable>(_ a: [Element], _ b: [Element]) -> Int {
  var row = Array(0...b.count)
  for (i, element) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in b.enumerated() {
      let replaced = diagonal + (element == other ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}

/// Words as BLEU counts them: the tokenizer `13a` of sacreBLEU, that of NIST's mteval-v13a.
package enum BLEUTokenizer {
  package static func words(of text: String) -> [String] {
    var scalars = Array(" \(unescaped(text)) ".unicodeScalars)
    scalars = scalars.flatMap { isPunctuation($0) ? [" ", $0, " "] : [$0] }
    // Full stops and commas, unless a digit stands before them; unless one follows; a dash behind a digit.
    scalars = pairs(scalars) { !isDigit($0) && isPoint($1) ? [$0, " ", $1, " "] : nil }
    scalars = pairs(scalars) { isPoint($0) && !isDigit($1) ? [" ", $0, " ", $1] : nil }
    scalars = pairs(scalars) { isDigit($0) && $1 == "-" ? [$0, " ", $1, " "] : nil }
    return scalars.split { $0.properties.isWhitespace }.map { word in
      var text = String.UnicodeScalarView()
      text.append(contentsOf: word)
      return String(text)
    }
  }

  private static func unescaped(_ text: String) -> String {
    let replacements = [
      ("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"),
      ("&gt;", ">"),
    ]
    return replacements.reduce(text) { $0.contains($1.0) ? $0.replacing($1.0, with: $1.1) : $0 }
  }

  /// Replaces pairs of neighbours from left to right, none of which overlap.
  private static func pairs(
    _ scalars: [Unicode.Scalar], _ replacement: (Unicode.Scalar, Unicode.Scalar) -> [Unicode.Scalar]?
  ) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var place = 0
    while place < scalars.count {
      if place + 1 < scalars.count, let new = replacement(scalars[place], scalars[place + 1]) {
        result += new
        place += 2
      } else {
        result.append(scalars[place])
        place += 1
      }
    }
    return result
  }

  /// ASCII's, but for the apostrophe, the comma, the dash and the full stop.
  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "{"..."~", "["..."`", " "..."&", "("..."+", ":"..."@", "/": true
    default: false
    }
  }

  private static func isPoint(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar == "," }
  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
}
