/// The settings of a `Root`: how they are found by name, read, written and compared.
package struct SettingTable<Root>: Sendable {
  /// Every setting, section by section, in the order in which they are written.
  package let all: [Setting<Root>]
  private let byKey: [String: Setting<Root>]
  private let keyBySynonym: [Substring: String]

  /// A table of settings, whose names differ, as do their synonyms.
  package init(_ settings: [Setting<Root>]) {
    all = settings
    byKey = Dictionary(uniqueKeysWithValues: settings.map { ($0.key, $0) })
    keyBySynonym = Dictionary(
      uniqueKeysWithValues: settings.flatMap { setting in setting.synonyms.map { ($0, setting.key) } })
  }

  /// The names of all settings.
  package var keys: Set<String> { Set(byKey.keys) }

  /// The setting of that name.
  func named(_ key: String) -> Setting<Root>? { byKey[key] }

  /// Whether that is the name of a section.
  func hasSection(_ name: String) -> Bool { all.contains { $0.key.hasPrefix("\(name).") } }

  /// What to say of a name that is none.
  func advice(on unknown: String) -> String {
    guard !hasSection(unknown) else {
      let members = all.map(\.key).filter { $0.hasPrefix("\(unknown).") }
      return "\(unknown) is a section of settings, such as \(members[0])"
    }
    let nearest = nearest(to: unknown)
    // A slip in a name with its section is not taken for a word of other programs.
    let isSlip = unknown.contains(".") && nearest.distance <= unknown.count / 8
    if !isSlip, let meant = key(bySynonym: unknown) {
      return "\(unknown) is not a setting; it is called \(meant) here"
    }
    return "\(unknown) is not a setting; the nearest is \(nearest.key)"
  }

  /// The setting that goes by another name in other programs: by the last part of that name, in any spelling.
  private func key(bySynonym unknown: String) -> String? {
    let name = unknown.split(separator: ".").last?.lowercased().filter { $0 != "_" && $0 != "-" }
    return name.flatMap { keyBySynonym[Substring($0)] }
  }

  /// The name nearest to one that is not known, by edits, and how many; the section may be left out.
  private func nearest(to unknown: String) -> (key: String, distance: Int) {
    var best = (key: "", distance: Int.max)
    for setting in all {
      let parts = setting.key.split(separator: ".")
      for first in parts.indices {
        let distance = editDistance(unknown, parts[first...].joined(separator: "."))
        if distance < best.distance { best = (setting.key, distance) }
      }
    }
    return best
  }

  /// The settings whose values differ, in the table's order.
  package func changes(from previous: Root, to root: Root) -> [SettingChange] {
    all.compactMap { setting in
      let (before, now) = (setting.yaml(previous), setting.yaml(root))
      guard before != now else { return nil }
      return SettingChange(key: setting.key, before: before, now: now, mayChange: setting.mayChange)
    }
  }
}

/// A setting whose value has changed.
package struct SettingChange: Sendable, Equatable, CustomStringConvertible {
  /// The setting's name.
  package let key: String
  /// The value before, as YAML.
  package let before: String
  /// The value now, as YAML.
  package let now: String
  /// Whether a run that has begun may go on so.
  package let mayChange: Bool

  /// The name and both values.
  package var description: String { "\(key) was \(before), now \(now)" }
}
