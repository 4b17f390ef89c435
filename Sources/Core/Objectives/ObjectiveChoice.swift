import Chunks
import Settings

/// The setting of an objective: the name of one in the catalogue, or `auto`, the one that suits the data.
package struct ObjectiveChoice: RawRepresentable, CaseIterable, SettingValue {
  /// The name.
  package let rawValue: String

  /// The one that suits the data.
  package static let auto = ObjectiveChoice(name: "auto")

  package static var allCases: [ObjectiveChoice] {
    [auto] + Catalog.objectives.map { ObjectiveChoice(name: $0.name) }
  }

  package init?(rawValue: String) {
    guard let choice = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = choice
  }

  private init(name: String) { rawValue = name }

  /// The objective for data of these tracks.
  ///
  /// - Throws: `ConfigurationError` where the one that is chosen can't use the targets, or none can.
  package func objective(for tracks: TrackSet) throws -> any Objective.Type {
    let suitable = Catalog.objectives.filter { $0.suits(tracks) != .none }
    let chosen = suitable.first { objective in
      self == .auto ? objective.suits(tracks) == .natural : objective.name == rawValue
    }
    if let chosen { return chosen }
    throw ConfigurationError(
      "model.objective \(rawValue) can't use \(tracks.targetsInWords); expected auto"
        + suitable.map { " or \($0.name)" }.joined())
  }
}

extension TrackSet {
  /// The targets, as messages name them.
  fileprivate var targetsInWords: String {
    switch self[.target] {
    case .tokens(let count): "targets of \(count) labels"
    case .frames(let width): "targets of \(width) \(hasBinaryTargets ? "binary" : "real") numbers"
    case nil: "data without targets"
    }
  }
}
