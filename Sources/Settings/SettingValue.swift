import Yams

/// A type of settings: how values are read from YAML and written.
package protocol SettingValue: Equatable, Sendable {
  /// What is expected, with its article, if there are no limits.
  static var expectation: String { get }
  /// Whether values are lists, so that an assignment reads them as YAML.
  static var isList: Bool { get }
  /// Reads a value; nil if the node holds something else.
  init?(setting node: Node)
  /// The value as YAML that any YAML reader reads as the same.
  var yaml: String { get }
}

extension SettingValue {
  package static var isList: Bool { false }
}

/// A type of which settings may be lists.
package protocol SettingElement: SettingValue {
  /// What several are.
  static var plural: String { get }
}

extension Double: SettingElement {
  package static var plural: String { "numbers" }
}

extension String: SettingElement {
  package static var plural: String { "texts" }
}

extension Int: SettingValue {
  package static var expectation: String { "an integer" }
  package init?(setting node: Node) {
    guard let text = node.plainText else { return nil }
    self.init(text.filter { $0 != "_" })
  }
  package var yaml: String { description }
}

extension Double: SettingValue {
  package static var expectation: String { "a number" }
  package init?(setting node: Node) {
    guard let text = node.plainText else { return nil }
    self.init(text.filter { $0 != "_" })
  }
  /// YAML 1.1 reads 1e-08 as a string: its numbers have a point.
  package var yaml: String {
    guard let exponent = description.firstIndex(of: "e"), !description.contains(".") else {
      return description
    }
    return description[..<exponent] + ".0" + description[exponent...]
  }
}

extension Bool: SettingValue {
  package static var expectation: String { "true or false" }
  package init?(setting node: Node) {
    guard let text = node.plainText else { return nil }
    self.init(text)
  }
  package var yaml: String { description }
}

extension String: SettingValue {
  package static var expectation: String { "a text" }
  package init?(setting node: Node) {
    guard let scalar = node.scalar else { return nil }
    self = scalar.style == .plain && ["~", "null"].contains(scalar.string) ? "" : scalar.string
  }
  /// Always in double quotes, so that nothing is taken for a number or a truth value.
  package var yaml: String {
    var text = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"", "\\": text += "\\\(scalar)"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
        let digits = String(scalar.value, radix: 16)
        text += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

extension Array: SettingValue where Element: SettingElement {
  package static var expectation: String { "a list of \(Element.plural)" }
  package static var isList: Bool { true }
  package init?(setting node: Node) {
    guard let sequence = node.sequence else { return nil }
    self = []
    for element in sequence {
      guard let value = Element(setting: element) else { return nil }
      append(value)
    }
  }
  package var yaml: String { "[" + map(\.yaml).joined(separator: ", ") + "]" }
}

extension SettingValue where Self: RawRepresentable & CaseIterable, RawValue == String {
  package static var expectation: String {
    let names = allCases.map(\.rawValue)
    return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
  }
  package init?(setting node: Node) {
    guard let text = node.scalar?.string else { return nil }
    self.init(rawValue: text)
  }
  package var yaml: String { rawValue }
}

extension Node {
  /// The text of a scalar that is not in quotes.
  fileprivate var plainText: String? {
    guard let scalar, scalar.style == .plain || scalar.style == .any else { return nil }
    return scalar.string
  }

  /// What stands here, as a message shows it.
  var shown: String {
    switch self {
    case .scalar(let scalar) where scalar.style == .plain || scalar.style == .any:
      scalar.string.isEmpty ? "nothing" : scalar.string.beginning
    case .scalar(let scalar): "the text \(scalar.string.beginning.yaml)"
    case .mapping: "a section"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }
}

extension String {
  /// As much of it as a message has room for.
  fileprivate var beginning: String { count > 100 ? "\(prefix(100))..." : self }
}
