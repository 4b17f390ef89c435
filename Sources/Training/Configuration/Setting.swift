import Yams

/// One value of a configuration: its name, its place, what it may be and what it does.
package struct Setting: Sendable {
  /// The name with its sections, such as `training.optimizer.learning_rate`.
  package let key: String
  /// What it does, in one line.
  package let help: String
  /// What it may be, in words.
  package let allowed: String
  /// Whether a run that has begun may go on with another value.
  package let mayChange: Bool

  /// Puts a value read from YAML into a configuration; false where it is not one of those allowed.
  let decode: @Sendable (Node, inout Configuration) -> Bool
  /// The value as YAML.
  let yaml: @Sendable (Configuration) -> String
  /// Whether the value is a list, so that `--set` reads it as YAML.
  let isList: Bool

  init<Value: SettingValue>(
    _ key: String, _ path: WritableKeyPath<Configuration, Value> & Sendable, mayChange: Bool = false,
    _ help: String
  ) {
    self.init(key, path, allowed: Value.expectation, mayChange: mayChange, help) { _ in true }
  }

  init<Value: SettingValue & Comparable>(
    _ key: String, _ path: WritableKeyPath<Configuration, Value> & Sendable, _ limits: SettingLimits<Value>,
    mayChange: Bool = false, _ help: String
  ) {
    self.init(key, path, allowed: limits.description, mayChange: mayChange, help) { limits.contains($0) }
  }

  private init<Value: SettingValue>(
    _ key: String, _ path: WritableKeyPath<Configuration, Value> & Sendable, allowed: String,
    mayChange: Bool, _ help: String, accept: @escaping @Sendable (Value) -> Bool
  ) {
    self.key = key
    self.help = help
    self.allowed = allowed
    self.mayChange = mayChange
    isList = Value.self == [String].self
    decode = { node, configuration in
      guard let value = Value(setting: node), accept(value) else { return false }
      configuration[keyPath: path] = value
      return true
    }
    yaml = { $0[keyPath: path].yaml }
  }
}

extension Setting {
  /// The setting of that name.
  static func named(_ key: String) -> Setting? { byKey[key] }
  /// The names of all settings.
  package static var keys: Set<String> { Set(byKey.keys) }
  private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

  /// The name nearest to one that is not known, by edits; the section may be left out.
  static func nearestKey(to unknown: String) -> String {
    var best = (key: "", distance: Int.max)
    for setting in all {
      let parts = setting.key.split(separator: ".")
      for first in parts.indices {
        let distance = editDistance(unknown, parts[first...].joined(separator: "."))
        if distance < best.distance { best = (setting.key, distance) }
      }
    }
    return best.key
  }
}

/// The least number of letters inserted, left out or replaced that turns one text into the other
/// (Levenshtein 1966).
package func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b.unicodeScalars)
  var row = Array(0...b.count)
  for (i, letter) in a.unicodeScalars.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (letter == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
    }
  }
  return row[b.count]
}
