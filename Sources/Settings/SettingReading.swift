import Yams

extension SettingTable {
  /// Changes what a YAML text sets.
  ///
  /// - Parameters:
  ///   - yaml: A mapping of sections to settings; empty for no change.
  ///   - name: What messages call the text: its file.
  /// - Returns: The names of the settings that it sets.
  /// - Throws: `ConfigurationError` naming file and line, for bad syntax, an unknown or repeated key, or a value of
  ///   the wrong type or out of range.
  package func read(yaml: String, name: String, into root: inout Root) throws -> Set<String> {
    let node: Node?
    do {
      node = try compose(yaml: yaml)
    } catch let error as YamlError {
      throw ConfigurationError("\(name)\(error.place): \(error.problem)")
    }
    guard let node, node.scalar?.string != "" else { return [] }
    guard node.mapping != nil else {
      throw ConfigurationError("\(name): expected sections such as `training:`, found \(node.shown)")
    }
    var reader = Reader(table: self, root: root, name: name)
    try reader.read(node, prefix: "", at: node)
    root = reader.root
    return reader.seen
  }

  /// Changes one setting.
  ///
  /// - Parameter assignment: `KEY=VALUE`, as the command line gives it.
  /// - Throws: `ConfigurationError` for an unknown key, or a value of the wrong type or out of range.
  package func set(_ assignment: String, in root: inout Root) throws {
    guard let equals = assignment.firstIndex(of: "=") else {
      throw ConfigurationError("--set \(assignment): expected KEY=VALUE, such as training.steps=1000")
    }
    let key = String(assignment[..<equals])
    let value = String(assignment[assignment.index(after: equals)...])
    guard let setting = named(key) else { throw ConfigurationError("\(assignment): \(advice(on: key))") }
    let node =
      setting.isList
      ? (try? compose(yaml: value)) ?? Node(value) : .scalar(Node.Scalar(value, .implicit, .plain))
    guard setting.decode(node, &root) else {
      throw ConfigurationError("\(assignment): expected \(setting.allowed), found \(node.shown)")
    }
  }
}

/// Walks the tree of a YAML text.
private struct Reader<Root> {
  let table: SettingTable<Root>
  var root: Root
  let name: String
  var seen: Set<String> = []

  mutating func read(_ node: Node, prefix: String, at key: Node) throws {
    if let mapping = node.mapping, table.named(prefix) == nil, !mapping.isEmpty {
      for (key, value) in mapping {
        guard let part = key.scalar?.string else {
          throw error(key, "expected the name of a setting or section, found \(key.shown)")
        }
        try read(value, prefix: prefix.isEmpty ? part : "\(prefix).\(part)", at: key)
      }
      return
    }
    guard let setting = table.named(prefix) else {
      guard table.hasSection(prefix) else { throw error(key, table.advice(on: prefix)) }
      guard node.mapping != nil || node.scalar?.string == "" else {
        throw error(key, "\(prefix) is a section of settings, found \(node.shown)")
      }
      return
    }
    guard seen.insert(prefix).inserted else { throw error(key, "\(prefix) is set twice") }
    guard setting.decode(node, &root) else {
      throw error(key, "\(prefix): expected \(setting.allowed), found \(node.shown)")
    }
  }

  private func error(_ node: Node, _ message: String) -> ConfigurationError {
    ConfigurationError("\(name)\(node.mark.map { ":\($0.line)" } ?? ""): \(message)")
  }
}

extension YamlError {
  fileprivate var place: String {
    switch self {
    case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
      ":\(mark.line)"
    case .duplicatedKeysInMapping(_, let context): ":\(context.mark.line)"
    default: ""
    }
  }

  fileprivate var problem: String {
    switch self {
    case .reader(let problem, _, _, _): "not YAML: \(problem)"
    case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _):
      "not YAML: \(problem)"
    case .duplicatedKeysInMapping(let keys, _): "\(keys.joined(separator: ", ")) is set twice"
    default: "not YAML: \(self)"
    }
  }
}
