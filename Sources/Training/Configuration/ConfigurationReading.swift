import FileSystem
import Settings

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

  /// The defaults with what a YAML text sets, and the names of the settings that it sets; otherwise as
  /// `init(yaml:name:)`.
  package static func read(
    yaml: String, name: String
  ) throws -> (configuration: Configuration, keys: Set<String>) {
    var configuration = Configuration()
    let keys = try settings.read(yaml: yaml, name: name, into: &configuration)
    return (configuration, keys)
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
  package mutating func set(_ assignment: String) throws { try Self.settings.set(assignment, in: &self) }

  /// Every setting as YAML, with what it does and may be as comments.
  package var yaml: String { Self.settings.yaml(self) }

  /// The settings that differ from another configuration, in the table's order.
  package func changes(since previous: Configuration) -> [SettingChange] {
    Self.settings.changes(from: previous, to: self)
  }
}
