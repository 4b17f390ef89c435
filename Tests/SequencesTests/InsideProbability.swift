import Glibc
import Sequences

/// The probability of a text under a grammar, summed over all of its derivations: computed from the text alone, so that
/// it equals a derivation's own probability only where there is no other derivation.
struct InsideProbability {
  private let grammar: Grammar
  private let text: [UInt8]
  /// For a rule and a place, the ends of what it derives there, with the probability and the number of derivations.
  private var known: [Key: [Int: Derivations]] = [:]
  private let remembered: [Int: [UInt8]]

  /// Several derivations: a long text's probability is too small to be held but as a logarithm.
  struct Derivations {
    var logProbability = -Double.infinity
    var count = 0

    static func += (sum: inout Derivations, other: Derivations) {
      let larger = max(sum.logProbability, other.logProbability)
      if larger > -.infinity {
        sum.logProbability =
          larger + log(exp(sum.logProbability - larger) + exp(other.logProbability - larger))
      }
      sum.count += other.count
    }

    static func * (a: Derivations, b: Derivations) -> Derivations {
      Derivations(logProbability: a.logProbability + b.logProbability, count: a.count * b.count)
    }
  }

  private struct Key: Hashable {
    let rule: Int
    let start: Int
  }

  private init(_ grammar: Grammar, _ text: [UInt8], remembered: [Int: [UInt8]]) {
    self.grammar = grammar
    self.text = text
    self.remembered = remembered
  }

  /// Of all derivations of `text`, over every choice of what is remembered.
  static func of(_ text: String, in grammar: Grammar) -> Derivations {
    let text = Array(text.utf8)
    var sum = Derivations()
    for (chosen, probability) in choices(
      of: grammar.rules.indices.filter { grammar.rules[$0].isRemembered }[...], grammar)
    {
      var inside = InsideProbability(grammar, text, remembered: chosen)
      guard let whole = inside.ends(of: 0, from: 0)[text.count] else { continue }
      sum += probability * whole
    }
    return sum
  }

  /// Every way to choose the texts that are remembered; their alternatives are single literals.
  private static func choices(of rules: ArraySlice<Int>, _ grammar: Grammar) -> [(
    [Int: [UInt8]], Derivations
  )] {
    guard let rule = rules.first else { return [([:], Derivations(logProbability: 0, count: 1))] }
    return choices(of: rules.dropFirst(), grammar).flatMap { chosen, probability in
      grammar.rules[rule].alternatives.compactMap { alternative in
        guard case .text(let literal)? = alternative.items.first, alternative.items.count == 1 else {
          return nil
        }
        let share = share(of: alternative, in: grammar.rules[rule])
        return (chosen.merging([rule: Array(literal.utf8)]) { $1 }, probability * share)
      }
    }
  }

  private mutating func ends(of rule: Int, from start: Int) -> [Int: Derivations] {
    if let literal = remembered[rule] { return ends(of: literal, from: start) }
    let key = Key(rule: rule, start: start)
    if let ends = known[key] { return ends }
    var ends: [Int: Derivations] = [:]
    for alternative in grammar.rules[rule].alternatives {
      var reached = [start: Self.share(of: alternative, in: grammar.rules[rule])]
      for item in alternative.items {
        var next: [Int: Derivations] = [:]
        for (place, before) in reached {
          let steps: [Int: Derivations]
          switch item {
          case .text(let literal): steps = self.ends(of: Array(literal.utf8), from: place)
          case .rule(let number): steps = self.ends(of: number, from: place)
          }
          for (end, step) in steps {
            next[end, default: Derivations()] += before * step
          }
        }
        reached = next
      }
      for (end, derivations) in reached {
        ends[end, default: Derivations()] += derivations
      }
    }
    known[key] = ends
    return ends
  }

  private func ends(of literal: [UInt8], from start: Int) -> [Int: Derivations] {
    guard text[start...].starts(with: literal) else { return [:] }
    return [start + literal.count: Derivations(logProbability: 0, count: 1)]
  }

  private static func share(of alternative: Grammar.Alternative, in rule: Grammar.Rule) -> Derivations {
    Derivations(logProbability: log(Double(alternative.weight) / Double(rule.totalWeight)), count: 1)
  }
}
