import Chunks
import FileSystem
import Sequences

extension SequenceDataset {
  /// The content for programs.
  ///
  /// - Parameter listingFiles: Whether to name every source file and give the command in full.
  /// - Throws: As `targetCount`.
  package func json(listingFiles: Bool = false) throws -> JSON {
    var members: JSON.Members = [
      "kind": .string(Self.format.kind), "format_version": .integer(formatVersion), "dataset": .string(path),
      (formatVersion == 1 ? "tokens" : "positions"): .integer(streams.tokens.count),
      "streams": .integer(streams.count),
      "splits": .array(
        try splits.map {
          $0.json(position: formatVersion == 1 ? "tokens" : "positions", targets: try targetCount(of: $0))
        }),
    ]
    if streams.arePairs { members.append(["source_positions": .integer(sourcePositions)]) }
    members.append(description.members)
    if hasWeights { members.append(["weights": .bool(true)]) }
    members.append([
      "fingerprint": .string(fingerprint),
      "command": origin.command(inFull: listingFiles).map(JSON.string) ?? .null,
      "file_count": .integer(origin.files.count), "file_bytes": .integer(origin.bytes),
      "empty_files": .integer(origin.emptyFiles),
    ])
    if listingFiles {
      members.append([
        "files": .array(
          origin.files.map { .object(["name": .string($0.name), "bytes": .integer($0.bytes)]) })
      ])
    }
    return .object(members)
  }

  private var sourcePositions: Int { streams.sources(of: 0..<streams.count).count }

  /// The content for people; the parameter is that of `json`.
  ///
  /// - Throws: As `targetCount`.
  package func text(listingFiles: Bool = false) throws -> String {
    let shown = listingFiles ? origin.files[...] : origin.files.prefix(DatasetOrigin.mostFiles)
    var rows = [
      ("dataset", "\(path), format version \(formatVersion)"),
      (formatVersion == 1 ? "tokens" : "positions", "\(streams.tokens.count) in \(streams.text)"),
    ]
    if streams.arePairs { rows.append(("sources", Wording.counted(sourcePositions, "position"))) }
    rows += try splits.map {
      let targets = try targetCount(of: $0)
      return ($0.name, $0.text(position: formatVersion == 1 ? "token" : "position", targets: targets))
    }
    rows += description.rows
    if hasWeights { rows.append(("weights", "one a position")) }
    rows.append(("fingerprint", fingerprint))
    if let command = origin.command(inFull: listingFiles) { rows.append(("made by", command)) }
    rows += shown.map { ("from", "\($0.name), \(Wording.counted($0.bytes, "byte"))") }
    let more = origin.files.count - shown.count
    if more > 0 { rows.append(("", "and \(Wording.counted(more, "file")) more (--files names them)")) }
    if origin.files.count > 1 {
      let empty = origin.emptyFiles > 0 ? ", \(origin.emptyFiles) of them empty" : ""
      rows.append(("all", "\(origin.files.count) files, \(Wording.counted(origin.bytes, "byte"))\(empty)"))
    }
    return alignedText(rows)
  }
}

extension DatasetOrigin {
  /// The most files named without `--files`.
  fileprivate static let mostFiles = 5

  fileprivate var bytes: Int { files.reduce(0) { $0 + $1.bytes } }

  fileprivate var emptyFiles: Int { files.count { $0.bytes == 0 } }

  /// The command; if not in full, without the middle of a very long one, which names files.
  fileprivate func command(inFull: Bool) -> String? {
    guard let command, !inFull, command.count > 1000 else { return command }
    return "\(command.prefix(400)) ... \(command.suffix(400))"
  }
}

extension DatasetSplit {
  fileprivate func json(position: String, targets: Int) -> JSON {
    .object([
      "name": .string(name), position: .integer(streams.tokens.count), "streams": .integer(streams.count),
      "targets": .integer(targets), "floor": floor.map(JSON.number) ?? .null,
      "trivial": trivial.map(JSON.number) ?? .null,
    ])
  }

  fileprivate func text(position: String, targets: Int) -> String {
    let isText = position == "token"
    let floor = floor.map {
      ", \(isText ? "entropy floor" : "lowest loss") \(Wording.decimal($0, places: 4))\(isText ? " nats" : "") a target"
    }
    let trivial = trivial.map { ", trivial loss \(Wording.decimal($0, places: 4))" }
    let sizes = [
      Wording.counted(streams.tokens.count, position), streams.text, Wording.counted(targets, "target"),
    ]
    return sizes.joined(separator: ", ") + (floor ?? "") + (trivial ?? "")
  }
}

extension StreamTable {
  fileprivate var text: String { Wording.counted(count, "stream") }
}

extension DataDescription {
  /// As members of a JSON object.
  package var members: JSON.Members {
    if let vocabulary = languageVocabulary { return vocabulary.members }
    var tracks: JSON.Members = [:]
    for role in TrackRole.allCases {
      if let track = stored[role] { tracks.append([role.name: .object(track.members)]) }
    }
    if let source { tracks.append(["source": .object(source.members)]) }
    return ["horizon": .integer(horizon), "tracks": .object(tracks)]
  }

  /// A row a track, for people.
  package var rows: [(String, String)] {
    if let vocabulary = languageVocabulary { return [("vocabulary", vocabulary.text)] }
    return TrackRole.allCases.compactMap { role in stored[role].map { (role.name, $0.shownText) } }
      + (source.map { [("source", $0.shownText)] } ?? [])
      + [("horizon", "\(horizon)")]
  }
}

extension TrackDescription {
  fileprivate var members: JSON.Members {
    switch self {
    case .tokens(let vocabulary): return vocabulary.members
    case .frames(let columns):
      func numbers(_ values: [Float]) -> JSON { .array(values.map { .number(Double($0)) }) }
      var members: JSON.Members = [
        "names": .array(columns.names.map(JSON.string)), "units": .array(columns.units.map(JSON.string)),
        "means": numbers(columns.means), "scales": numbers(columns.scales),
        "binary": .bool(columns.isBinary),
      ]
      if let grid = columns.grid {
        members.append(["grid": .array([.integer(grid.rows), .integer(grid.columns)])])
      }
      return members
    }
  }

  /// With the names of the first columns.
  fileprivate var shownText: String {
    guard case .frames(let columns) = self else { return text }
    let shown = zip(columns.names, columns.units).prefix(8).map { $1.isEmpty ? $0 : "\($0) [\($1)]" }
    return "\(text): \(shown.joined(separator: ", "))\(columns.width > shown.count ? ", ..." : "")"
  }
}

extension Vocabulary {
  /// As members of a JSON object.
  package var members: JSON.Members {
    var members: JSON.Members = [
      "level": .string(level.rawValue), "vocabulary": .integer(count),
      "unknown": unknown.map(JSON.integer) ?? .null,
    ]
    if let ends { members.append(["begin": .integer(Int(ends.begin)), "end": .integer(Int(ends.end))]) }
    return members
  }
}
