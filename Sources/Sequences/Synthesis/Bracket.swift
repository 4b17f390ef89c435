import Chunks
import Random
import Settings

/// A task of pairs: an expression with brackets, to be written in postfix form.
///
/// An expression has from 1 to `operators` operators, all numbers equally likely. The root of its tree is any of + - * /, and
/// the other operators are divided between its sides evenly at random; operands are letters. Brackets stand only where
/// precedence and reading from the left need them, so that the target follows from the source.
package struct Bracket: StreamTask {
  package static let name = "bracket"
  package static let abstract = "Pairs: an expression with brackets, to be written in postfix form."
  package static let sizes: [Setting<Bracket>] = [
    .streams, Setting("operators", \.operators, .within(1, 1000), "Most operators of an expression"),
    Setting("symbols", \.symbols, .within(2, 26), "Different operands"),
  ]
  package static let loss = StatedLoss.crossEntropy

  package var streams = 20_000
  /// The most operators of an expression.
  package var operators = 8
  /// The number of different operands.
  package var symbols = 10

  package init() {}

  /// What both sides are written with: the operators first, then operands; sources have brackets behind those.
  private var vocabulary: [String] {
    Expression.operators.map { "\($0.sign)" }
      + "abcdefghijklmnopqrstuvwxyz".prefix(symbols).map { String($0) }
  }
  package var tracks: [TrackRole: TrackDescription] {
    get throws { [.input: .tokens(try Vocabulary(level: .char, spellings: vocabulary).withEnds())] }
  }
  package var sourceTrack: TrackDescription? {
    get throws { .tokens(try Vocabulary(level: .char, spellings: vocabulary + ["(", ")"])) }
  }

  package func source(_ random: inout RandomStream) -> (inout RandomStream) -> SyntheticStream {
    let (open, close) = (Int32(vocabulary.count), Int32(vocabulary.count + 1))
    return { random in
      let expression = Expression(operators: 1 + random.below(operators), operands: symbols, &random)
      return .pair(
        .tokens(expression.infix(open: open, close: close)), expression.postfix, letters: Int(open))
    }
  }
}

/// The tree of an expression; tokens are the numbers of operators and, behind those, operands.
private indirect enum Expression {
  case operand(Int32)
  case operation(Int32, Expression, Expression)

  static let operators: [(sign: Character, precedence: Int)] = [("+", 0), ("-", 0), ("*", 1), ("/", 1)]

  init(operators: Int, operands: Int, _ random: inout RandomStream) {
    guard operators > 0 else {
      self = .operand(Int32(Self.operators.count + random.below(operands)))
      return
    }
    let sign = Int32(random.below(Self.operators.count))
    let left = random.below(operators)
    self = .operation(
      sign, Expression(operators: left, operands: operands, &random),
      Expression(operators: operators - 1 - left, operands: operands, &random))
  }

  var postfix: [Int32] {
    switch self {
    case .operand(let token): [token]
    case .operation(let sign, let left, let right): left.postfix + right.postfix + [sign]
    }
  }

  func infix(open: Int32, close: Int32) -> [Int32] {
    guard case .operation(let sign, let left, let right) = self else { return postfix }
    func side(_ side: Expression, bracketsEqual: Bool) -> [Int32] {
      let tokens = side.infix(open: open, close: close)
      let isLoose = side.precedence < precedence || bracketsEqual && side.precedence == precedence
      return isLoose ? [open] + tokens + [close] : tokens
    }
    return side(left, bracketsEqual: false) + [sign] + side(right, bracketsEqual: true)
  }

  private var precedence: Int {
    guard case .operation(let sign, _, _) = self else { return .max }
    return Self.operators[Int(sign)].precedence
  }
}
