import Chunks
import FileSystem
import Preconditions

/// What a track holds, for models, files and messages.
package enum TrackDescription: Sendable, Equatable {
  /// Whole numbers that a vocabulary spells: tokens, or labels.
  case tokens(Vocabulary)
  /// Real numbers in named columns.
  case frames(FrameColumns)

  /// What a chunk holds of it.
  package var kind: TrackKind {
    switch self {
    case .tokens(let vocabulary): .tokens(count: vocabulary.count)
    case .frames(let columns): .frames(width: columns.width)
    }
  }

  /// The numbers at a position.
  package var width: Int {
    switch self {
    case .tokens: 1
    case .frames(let columns): columns.width
    }
  }

  /// What it is, for people.
  package var text: String {
    switch self {
    case .tokens(let vocabulary): vocabulary.text
    case .frames(let columns):
      "\(columns.isBinary ? "binary " : "")frames of \(Wording.counted(columns.width, "column"))"
        + (columns.grid.map { ", in a grid of \($0.rows) x \($0.columns)" } ?? "")
    }
  }
}

/// What a model needs to know of data: their tracks, and how far ahead the targets lie.
///
/// It is in every dataset and every checkpoint.
package struct DataDescription: Sendable, Equatable {
  /// How many positions the target of a position lies ahead of it.
  package let horizon: Int
  /// The tracks that a dataset holds, by their roles; without a target the input is the target.
  package let stored: [TrackRole: TrackDescription]
  /// What the sources of pairs hold; nil where streams are no pairs.
  package let source: TrackDescription?

  /// Data with these tracks.
  ///
  /// - Parameters:
  ///   - horizon: How many positions ahead the target lies; left out, 0 with a target track and 1 (the next position)
  ///     without one.
  ///   - source: What the sources of pairs hold.
  /// - Throws: `DataError` where there is no input, a position would be its own target, or weights of units are not
  ///   frames as wide as the target, in numbers as they are.
  package init(
    _ stored: [TrackRole: TrackDescription], horizon: Int? = nil, source: TrackDescription? = nil
  ) throws {
    self.stored = stored
    self.source = source
    self.horizon = horizon ?? (stored[.target] == nil ? 1 : 0)
    guard let input = stored[.input] else { throw DataError("there is no track with the role input") }
    let target = stored[.target] ?? input
    guard self.horizon >= (stored[.target] == nil ? 1 : 0) else {
      throw DataError(
        "the horizon is \(self.horizon), expected \(stored[.target] == nil ? "1 or more without a target track" : "0 or more")"
      )
    }
    guard let weight = stored[.weight] else { return }
    guard case .frames(let weights) = weight, case .frames(let targets) = target,
      weights.width == targets.width, !weights.isNormalized
    else {
      throw DataError(
        "the weight track holds \(weight.text), the target \(target.text); weights of units are for targets of frames, one "
          + "a column, and not normalised")
    }
  }

  private init(language vocabulary: Vocabulary) {
    stored = [.input: .tokens(vocabulary)]
    source = nil
    horizon = 1
  }

  /// The data of a language model: tokens, each with the next as its target.
  package static func language(_ vocabulary: Vocabulary) -> DataDescription {
    DataDescription(language: vocabulary)
  }

  /// The vocabulary of a language model's data; nil for other data.
  package var languageVocabulary: Vocabulary? {
    guard stored.count == 1, horizon == 1, source == nil, case .tokens(let vocabulary) = stored[.input] else {
      return nil
    }
    return vocabulary
  }

  /// The vocabulary of a model that says which token comes next, whatever streams begin with; nil for other data.
  package var nextTokenVocabulary: Vocabulary? {
    guard stored[.target] == nil, horizon == 1, source == nil, case .tokens(let vocabulary) = input else {
      return nil
    }
    return vocabulary
  }

  /// The track with a role; the target is the input where there is no track of its own.
  package subscript(role: TrackRole) -> TrackDescription? {
    stored[role] ?? (role == .target ? stored[.input] : nil)
  }

  /// What the model reads.
  package var input: TrackDescription {
    guard let input = stored[.input] else { preconditionFailure("data have an input") }
    return input
  }

  /// What the model should say.
  package var target: TrackDescription { stored[.target] ?? input }

  /// What chunks hold.
  package var tracks: TrackSet {
    var kinds = stored.mapValues(\.kind)
    kinds[.target] = target.kind
    let isBinary = if case .frames(let columns) = target { columns.isBinary } else { false }
    return TrackSet(kinds, hasBinaryTargets: isBinary, source: source?.kind)
  }
}

extension DataDescription {
  /// The means and scales of all frames, track by track, those of sources last.
  package var normalization: [Float] {
    (TrackRole.allCases.map { stored[$0] } + [source]).flatMap { track -> [Float] in
      guard case .frames(let columns) = track else { return [] }
      return columns.means + columns.scales
    }
  }

  /// The same data with the `normalization` of others that have the same columns.
  package func normalized(by normalization: [Float]) throws -> DataDescription {
    var rest = normalization[...]
    func next(_ count: Int) -> [Float] {
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func normalized(_ track: TrackDescription?) throws -> TrackDescription? {
      guard case .frames(let columns) = track else { return track }
      let (means, scales) = (next(columns.width), next(columns.width))
      return .frames(
        try FrameColumns(
          columns.names, units: columns.units, means: means, scales: scales, isBinary: columns.isBinary,
          grid: columns.grid))
    }
    var tracks = stored
    for role in TrackRole.allCases { tracks[role] = try normalized(stored[role]) }
    return try DataDescription(tracks, horizon: horizon, source: normalized(source))
  }

  /// How these data differ from those that a model expects, each difference in a few words; none where the model can
  /// be used on them. Normalisation is no difference: a model's own can be used on any values in the same units.
  package func differences(from expected: DataDescription) -> [String] {
    var differences = TrackRole.allCases.flatMap { role -> [String] in
      // The same difference is not told twice where the input is the target.
      if role == .target && stored[role] == nil && expected.stored[role] == nil { return [] }
      return Self.differences(of: role.name, self[role], from: expected[role])
    }
    differences += Self.differences(of: "source", source, from: expected.source)
    if horizon != expected.horizon {
      differences.append("the target lies \(horizon) ahead, expected \(expected.horizon)")
    }
    return differences
  }

  private static func differences(
    of name: String, _ found: TrackDescription?, from wanted: TrackDescription?
  ) -> [String] {
    switch (found, wanted) {
    case (nil, nil): []
    case (let found?, nil): ["there is a track \(name) of \(found.text), expected none"]
    case (nil, let wanted?): ["there is no track \(name), expected \(wanted.text)"]
    case (let found?, let wanted?): found.differences(from: wanted).map { "\(name): \($0)" }
    }
  }
}

extension TrackDescription {
  /// How this track differs from one that a model expects, as `DataDescription.differences`.
  package func differences(from expected: TrackDescription) -> [String] {
    switch (self, expected) {
    case (.tokens(let found), .tokens(let wanted)): found.difference(from: wanted).map { [$0] } ?? []
    case (.frames(let found), .frames(let wanted)): found.differences(from: wanted)
    default: ["it is \(text), expected \(expected.text)"]
    }
  }
}

extension FrameColumns {
  fileprivate func differences(from expected: FrameColumns) -> [String] {
    guard width == expected.width else {
      return ["it has \(Wording.counted(width, "column")), expected \(expected.width)"]
    }
    var differences = isBinary == expected.isBinary ? [] : ["it is \(isBinary ? "" : "not ")binary"]
    for column in 0..<width {
      for (what, found, wanted) in [
        ("name", names[column], expected.names[column]), ("unit", units[column], expected.units[column]),
      ] where found != wanted {
        differences.append("column \(column) has the \(what) \"\(found)\", expected \"\(wanted)\"")
      }
    }
    return differences
  }
}

extension Vocabulary {
  /// How this vocabulary differs from `expected`; nil if every token is the same.
  package func difference(from expected: Vocabulary) -> String? {
    guard self != expected else { return nil }
    guard level == expected.level else { return "it is of \(level.rawValue)s, expected \(expected.level)s" }
    for (index, (found, wanted)) in zip(spellings, expected.spellings).enumerated()
    where !found.utf8.elementsEqual(wanted.utf8) {
      return "token \(index) is \(found.debugDescription), expected \(wanted.debugDescription)"
    }
    guard count == expected.count else {
      return "it has \(Wording.counted(count, "token")), expected \(expected.count)"
    }
    guard ends == expected.ends else { return "its begin and end tokens are others" }
    return unknown == expected.unknown
      ? "its SentencePiece model is another one" : "its unknown token is another one"
  }

  /// The number and kind of tokens, for people.
  package var text: String {
    "\(Wording.counted(count, level.rawValue))\(unknown == nil ? "" : ", with an unknown token")"
      + (ends == nil ? "" : ", with begin and end tokens")
  }
}
