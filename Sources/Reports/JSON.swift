/// A JSON value whose objects keep the order of their members.
package indirect enum JSON: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  /// A number; written as null if not finite, which JSON can't express.
  case number(Double)
  case string(String)
  case array([JSON])
  case object(Members)

  /// The members of an object, in the order of a dictionary literal.
  package struct Members: ExpressibleByDictionaryLiteral, Sendable {
    fileprivate var pairs: [(name: String, value: JSON)]

    /// The members of a literal.
    package init(dictionaryLiteral elements: (String, JSON)...) {
      pairs = elements.map { (name: $0.0, value: $0.1) }
    }

    /// Adds members at the end.
    package mutating func append(_ others: Members) { pairs += others.pairs }
  }

  /// The value on one line.
  package var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value.description
    case .integer(let value): value.description
    case .number(let value): value.isFinite ? value.description : "null"
    case .string(let value): Self.quoted(value)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.pairs.map { "\(Self.quoted($0.name)):\($0.value.text)" }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      case _ where scalar.properties.generalCategory == .control:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
