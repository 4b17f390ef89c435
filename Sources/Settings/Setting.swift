import Yams

/// One value of a `Root`: its name, its place, what it may be and what it does.
package struct Setting<Root>: Sendable {
  /// The name with its sections, such as `optimizer.learning_rate`.
  package let key: String
  /// What it does, in one line.
  package let help: String
  /// What it may be, in words.
  package let allowed: String
  /// Whether a run that has begun may change it.
  package let mayChange: Bool
  /// Its names in other programs: the last part, in lower case, without underscores.
  let synonyms: [Substring]
  /// Whether the value may be a list, so that an assignment reads it as YAML.
  let isList: Bool
  /// Sets a value read from YAML; false if it is not allowed.
  let decode: @Sendable (Node, inout Root) -> Bool
  /// The value as YAML.
  package let yaml: @Sendable (Root) -> String

  /// A setting of any value of its type.
  ///
  /// - Parameter synonyms: `synonyms`, with spaces between.
  package init<Value: SettingValue>(
    _ key: String, _ path: WritableKeyPath<Root, Value> & Sendable, mayChange: Bool = false, _ help: String,
    synonyms: String = ""
  ) {
    self.init(key, path, Value.expectation, mayChange, help, synonyms) { _ in true }
  }

  /// A setting of a value within limits; otherwise as `init(_:_:mayChange:_:synonyms:)`.
  package init<Value: SettingValue & Comparable>(
    _ key: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ limits: SettingLimits<Value>,
    mayChange: Bool = false, _ help: String, synonyms: String = ""
  ) {
    self.init(key, path, limits.description, mayChange, help, synonyms) { limits.contains($0) }
  }

  private init<Value: SettingValue>(
    _ key: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ allowed: String, _ mayChange: Bool,
    _ help: String, _ synonyms: String, accept: @escaping @Sendable (Value) -> Bool
  ) {
    self.key = key
    self.help = help
    self.allowed = allowed
    self.mayChange = mayChange
    self.synonyms = synonyms.split(separator: " ")
    isList = Value.isList
    decode = { node, root in
      guard let value = Value(setting: node), accept(value) else { return false }
      root[keyPath: path] = value
      return true
    }
    yaml = { $0[keyPath: path].yaml }
  }

  /// The setting of a part, in a section of the whole.
  fileprivate init<Part>(
    _ setting: Setting<Part>, of path: WritableKeyPath<Root, Part> & Sendable, section: String
  ) {
    key = "\(section).\(setting.key)"
    help = setting.help
    allowed = setting.allowed
    mayChange = setting.mayChange
    synonyms = setting.synonyms
    isList = setting.isList
    decode = { setting.decode($0, &$1[keyPath: path]) }
    yaml = { setting.yaml($0[keyPath: path]) }
  }
}

extension Array {
  /// The settings of a part as settings of what holds it, in a section.
  package func lifted<Root, Part>(
    _ section: String, _ path: WritableKeyPath<Root, Part> & Sendable
  ) -> [Setting<Root>] where Element == Setting<Part> {
    map { Setting($0, of: path, section: section) }
  }
}
