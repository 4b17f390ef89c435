import FileSystem

/// What the file of a run's settings, `config.yaml`, holds.
package enum SavedSettings: Sendable, Equatable {
  /// There is no such file.
  case missing
  /// The file is not whole: in what way.
  case damaged(String)
  /// Settings, and the names of those that stand in the file.
  case whole(Configuration, keys: Set<String>)

  /// The settings of a whole file.
  package var configuration: Configuration? {
    if case .whole(let configuration, _) = self { configuration } else { nil }
  }

  /// What is wrong with the file of a run that has written the settings of these names; nil where nothing is.
  package func damage(expecting expected: Set<String>) -> String? {
    switch self {
    case .missing: return "is missing"
    case .damaged(let damage): return damage
    case .whole(_, let keys):
      let missing = expected.subtracting(keys).sorted()
      guard let first = missing.first else { return nil }
      return
        "lacks \(first)\(missing.count > 1 ? " and \(Wording.counted(missing.count - 1, "other setting"))" : "")"
    }
  }
}

/// The text of `config.yaml`: all settings as YAML, between two lines that show whether its end has been cut off.
/// A value that is cut short may well be another value.
enum SettingsFile {
  static let firstLine =
    "# The settings of this run, which may be edited here. The last line shows that none is missing."
  static let lastLine = "# End of the settings."

  /// The text for these settings.
  static func text(_ configuration: Configuration) -> String {
    "\(firstLine)\n\(configuration.yaml)\(lastLine)\n"
  }

  /// Whether a text begins as a run's settings, but does not end so.
  static func lacksEnd(_ text: String) -> Bool { text.hasPrefix(firstLine) && !text.contains(lastLine) }

  /// Reads what is in the file of a run.
  ///
  /// - Throws: `ConfigurationError` where a whole file holds what can't be; `FileError` where it can't be read.
  static func read(_ path: String) throws -> SavedSettings {
    guard Files.exists(path) else { return .missing }
    guard let text = String(validating: try Files.read(path, atMost: 1 << 20), as: UTF8.self) else {
      return .damaged("is not a text in UTF-8")
    }
    // Files of earlier versions do not have the two lines, but end every setting with a line's end.
    let isWhole =
      text.contains(lastLine) || (!text.hasPrefix(firstLine) && text.last?.isNewline == true)
    guard isWhole else { return .damaged("is cut off") }
    let (configuration, keys) = try Configuration.read(yaml: text, name: path)
    return .whole(configuration, keys: keys)
  }
}
