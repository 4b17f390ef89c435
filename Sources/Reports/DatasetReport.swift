import FileSystem
import Sequences

extension SequenceDataset {
  /// The content for programs.
  ///
  /// - Parameter listingFiles: Whether to name every source file and give the command in full.
  package func json(listingFiles: Bool = false) -> JSON {
    var members: JSON.Members = [
      "kind": .string(Self.format.kind), "format_version": .integer(formatVersion), "dataset": .string(path),
      "tokens": .integer(streams.tokens.count), "streams": .integer(streams.count),
      "splits": .array(splits.map(\.json)),
    ]
    members.append(vocabulary.members)
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

  /// The content for people; the parameter is that of `json`.
  package func text(listingFiles: Bool = false) -> String {
    let shown = listingFiles ? origin.files[...] : origin.files.prefix(DatasetOrigin.mostFiles)
    var rows = [
      ("dataset", "\(path), format version \(formatVersion)"),
      ("tokens", "\(streams.tokens.count) in \(streams.text)"),
    ]
    rows += splits.map { ($0.name, $0.text) }
    rows += [("vocabulary", vocabulary.text), ("fingerprint", fingerprint)]
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
  fileprivate var json: JSON {
    .object([
      "name": .string(name), "tokens": .integer(streams.tokens.count), "streams": .integer(streams.count),
      "targets": .integer(streams.pairs), "floor": floor.map(JSON.number) ?? .null,
    ])
  }

  fileprivate var text: String {
    let floor = floor.map { ", entropy floor \(Wording.decimal($0, places: 4)) nats a target" } ?? ""
    let sizes = [
      Wording.counted(streams.tokens.count, "token"), streams.text, Wording.counted(streams.pairs, "target"),
    ]
    return sizes.joined(separator: ", ") + floor
  }
}

extension StreamTable {
  fileprivate var text: String { Wording.counted(count, "stream") }
}

extension Vocabulary {
  /// As members of a JSON object.
  package var members: JSON.Members {
    [
      "level": .string(level.rawValue), "vocabulary": .integer(count),
      "unknown": unknown.map(JSON.integer) ?? .null,
    ]
  }

  /// The number and kind of tokens, for people.
  package var text: String {
    "\(Wording.counted(count, level.rawValue))\(unknown == nil ? "" : ", with an unknown token")"
  }
}
