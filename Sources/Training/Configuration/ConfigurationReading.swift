import FileSystem
import Yams

extension Configuration {
  /// The defaults with what a YAML text sets.
  ///
  /// - Parameters:
  ///   - yaml: A mapping of sections to settings; empty for the defaults.
  ///   - name: What messages call the text: its file.
  /// - Throws: `ConfigurationError` naming file and line, for bad syntax, an unknown or repeated key, or a value of
  ///   the wrong type or out of range.
  package init(yaml: String, name: String) throws {
    self = try Self.read(yaml: yaml, name: name).configuration
  }

  /// The defaults with what a YAML text sets, and the names of the settings that it sets; else as `init(yaml:name:)`.
  package static func read(yaml: String, name: String) throws -> (
    configuration: Configuration, keys: Set<String>
  ) {
    let root: Node?
    do {
      root = try compose(yaml: yaml)
    } catch let error as YamlError {
      throw ConfigurationError("\(name)\(error.place): \(error.problem)")
    }
    guard let root, root.scalar?.string != "" else { return (Configuration(), []) }
    guard root.mapping != nil else {
      throw ConfigurationError("\(name): expected sections such as `training:`, found \(root.shown)")
    }
    var reader = Reader(configuration: Configuration(), name: name)
    try reader.read(root, prefix: "", at: root)
    return (reader.configuration, reader.seen)
  }

  /// The defaults with what a YAML file sets.
  ///
  /// - Throws: `FileError` where the file can't be read, `ConfigurationError` where it is a run's and its end is missing;
  ///   otherwise as `init(yaml:name:)`.
  package init(path: String) throws {
    let bytes = try Files.read(path, atMost: 1 << 20)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationError("\(path): not a text in UTF-8; expected a YAML file of settings")
    }
    if SettingsFile.lacksEnd(text) {
      throw ConfigurationError("\(path): cut off: it has no line \"\(SettingsFile.lastLine)\"; copy it anew")
    }
    try self.init(yaml: text, name: path)
  }

  /// Changes one setting.
  ///
  /// - Parameter assignment: `KEY=VALUE`, as the command line gives it.
  /// - Throws: `ConfigurationError` for an unknown key, or a value of the wrong type or out of range.
  package mutating func set(_ assignment: String) throws {
    guard let equals = assignment.firstIndex(of: "=") else {
      throw ConfigurationError("--set \(assignment): expected KEY=VALUE, such as training.steps=1000")
    }
    let key = String(assignment[..<equals])
    let value = String(assignment[assignment.index(after: equals)...])
    guard let setting = Setting.named(key) else {
      throw ConfigurationError("\(assignment): \(Self.unknown(key))")
    }
    let node =
      setting.isList
      ? (try? compose(yaml: value)) ?? Node(value) : .scalar(Node.Scalar(value, .implicit, .plain))
    guard setting.decode(node, &self) else {
      throw ConfigurationError("\(assignment): expected \(setting.allowed), found \(node.shown)")
    }
  }

  fileprivate static func unknown(_ key: String) -> String {
    if let meant = Setting.synonym(of: key) { return "\(key) is not a setting; it is called \(meant) here" }
    return "\(key) is not a setting; the nearest is \(Setting.nearestKey(to: key))"
  }
}

/// Walks the tree of a YAML text.
private struct Reader {
  var configuration: Configuration
  let name: String
  var seen: Set<String> = []

  mutating func read(_ node: Node, prefix: String, at key: Node) throws {
    if let mapping = node.mapping, Setting.named(prefix) == nil, !mapping.isEmpty {
      for (key, value) in mapping {
        guard let part = key.scalar?.string else {
          throw error(key, "expected the name of a setting or section, found \(key.shown)")
        }
        try read(value, prefix: prefix.isEmpty ? part : "\(prefix).\(part)", at: key)
      }
      return
    }
    guard let setting = Setting.named(prefix) else {
      guard Setting.all.contains(where: { $0.key.hasPrefix("\(prefix).") }) else {
        throw error(key, Configuration.unknown(prefix))
      }
      guard node.mapping != nil || node.scalar?.string == "" else {
        throw error(key, "\(prefix) is a section of settings, found \(node.shown)")
      }
      return
    }
    guard seen.insert(prefix).inserted else { throw error(key, "\(prefix) is set twice") }
    guard setting.decode(node, &configuration) else {
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
