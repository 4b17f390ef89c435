import Glibc
import Preconditions
import Random

/// A stochastic context-free grammar whose derivations know their probability.
///
/// The source has one rule a line, `name = alternative | alternative | ...`. An alternative is a number of items behind
/// its weight, 1 where none is written; it is chosen with its weight over the sum of the rule's weights. An item is
/// `'text'`, `newline`, or the name of a rule, whose choices are then made. Two more things keep it short:
/// - A name that begins with `@` is chosen once in a text, where it first occurs, and is the same text from then on.
/// - A rule `name.x` stands for the rules `name.w`, `name.m`, `name.s` and `name.p`, with the same letter in place of x
///   in all of its items; `name.n` likewise for s and p.
package struct Grammar: Sendable {
  /// A part of an alternative.
  package enum Item: Sendable, Equatable {
    /// These characters.
    case text(String)
    /// The rule of this number.
    case rule(Int)
  }

  /// One way to go on.
  package struct Alternative: Sendable, Equatable {
    /// Its share of the rule's weights.
    package let weight: Int
    /// What it consists of, in order.
    package let items: [Item]
  }

  /// A rule's name and alternatives.
  package struct Rule: Sendable {
    /// As in the source, with the letter that stands for x or n.
    package let name: String
    /// The ways to go on.
    package let alternatives: [Alternative]
    /// The sum of their weights.
    package let totalWeight: Int
    /// Whether it is chosen once in a text.
    package var isRemembered: Bool { name.hasPrefix("@") }
  }

  /// The rules; texts are derived from the first.
  package let rules: [Rule]

  /// The rules of `source`, which must be sound: it is part of the program.
  package init(_ source: String) {
    let lines = source.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { Line($0) }
    let expanded = lines.flatMap { line in line.letters.map { (line, $0) } }
    let names = expanded.map { line, letter in line.name(of: line.name, letter) }
    let numbers = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
    rules = expanded.map { line, letter in
      let alternatives = line.alternatives.map { weight, words in
        Alternative(weight: weight, items: words.map { item($0, line, letter) })
      }
      return Rule(
        name: line.name(of: line.name, letter), alternatives: alternatives,
        totalWeight: alternatives.reduce(0) { $0 + $1.weight })
    }

    func item(_ word: String, _ line: Line, _ letter: Character?) -> Item {
      if word.hasPrefix("'") { return .text(String(word.dropFirst().dropLast())) }
      if word == "newline" { return .text("\n") }
      guard let number = numbers[line.name(of: word, letter)] else {
        preconditionFailure("the grammar has no rule \(word), which \(line.name) names")
      }
      return .rule(number)
    }
  }

  /// All characters that a text can have, in ascending order.
  package var characters: [Unicode.Scalar] {
    let items = rules.flatMap(\.alternatives).flatMap(\.items)
    let texts = items.compactMap { item -> String? in
      guard case .text(let text) = item else { return nil }
      return text
    }
    return Set(texts.flatMap(\.unicodeScalars)).sorted()
  }

  /// A text, and the logarithm of its derivation's probability in nats: the sum over all choices made.
  package func derive(_ random: inout RandomStream) -> (text: String, logProbability: Double) {
    var derivation = Derivation(grammar: self)
    derivation.expand(0, &random)
    return (derivation.text, derivation.logProbability)
  }
}

/// A text while it is derived.
private struct Derivation {
  let grammar: Grammar
  var text = ""
  var logProbability = 0.0
  private var remembered: [Int: String] = [:]

  init(grammar: Grammar) { self.grammar = grammar }

  mutating func expand(_ number: Int, _ random: inout RandomStream) {
    let rule = grammar.rules[number]
    if rule.isRemembered {
      if let known = remembered[number] {
        text += known
        return
      }
      let before = text
      text = ""
      choose(from: rule, &random)
      remembered[number] = text
      text = before + text
    } else {
      choose(from: rule, &random)
    }
  }

  private mutating func choose(from rule: Grammar.Rule, _ random: inout RandomStream) {
    guard let alternative = rule.alternatives.count == 1 ? rule.alternatives.first : draw(rule, &random)
    else { return }
    for item in alternative.items {
      switch item {
      case .text(let literal): text += literal
      case .rule(let number): expand(number, &random)
      }
    }
  }

  private mutating func draw(_ rule: Grammar.Rule, _ random: inout RandomStream) -> Grammar.Alternative? {
    var place = random.below(rule.totalWeight)
    for alternative in rule.alternatives {
      if place < alternative.weight {
        logProbability += log(Double(alternative.weight) / Double(rule.totalWeight))
        return alternative
      }
      place -= alternative.weight
    }
    return nil
  }
}

/// A line of a grammar's source.
private struct Line {
  let name: String
  /// The letters for which the rule stands.
  let letters: [Character?]
  let alternatives: [(weight: Int, words: [String])]

  init(_ line: Substring) {
    var words = Self.words(line)
    precondition(words.count > 2 && words[1] == "=", "\(line) is no rule of a grammar")
    name = words.removeFirst()
    words.removeFirst()
    letters = name.hasSuffix(".x") ? ["w", "m", "s", "p"] : name.hasSuffix(".n") ? ["s", "p"] : [nil]
    alternatives = words.split(separator: "|").map { alternative in
      guard let first = alternative.first, let weight = Int(first) else { return (1, Array(alternative)) }
      return (weight, Array(alternative.dropFirst()))
    }
  }

  /// `word` with `letter` in place of the one for which this line's rule stands.
  func name(of word: String, _ letter: Character?) -> String {
    guard let letter, word.hasSuffix(name.suffix(2)) else { return word }
    return word.dropLast() + String(letter)
  }

  /// The words between spaces; text in quotes is one word.
  private static func words(_ line: Substring) -> [String] {
    var words: [String] = []
    var word = ""
    var isQuoted = false
    for character in line + " " {
      if character == "'" { isQuoted.toggle() }
      if character == " ", !isQuoted {
        if !word.isEmpty { words.append(word) }
        word = ""
      } else {
        word.append(character)
      }
    }
    return words
  }
}
