import Sequences

extension SequenceDataset {
  /// What it holds, for programs.
  public var json: JSON {
    var members: JSON.Members = [
      "kind": .string(Self.format.kind), "format_version": .integer(formatVersion), "dataset": .string(path),
      "tokens": .integer(streams.tokens.count), "streams": .integer(streams.count),
      "splits": .array(splits.map(\.json)),
    ]
    members.append(vocabulary.members)
    members.append([
      "fingerprint": .string(fingerprint), "command": .string(origin.command),
      "files": .array(
        origin.files.map { .object(["name": .string($0.name), "bytes": .integer($0.bytes)]) }),
    ])
    return .object(members)
  }

  /// What it holds, for people.
  public var text: String {
    alignedText(
      [
        ("dataset", "\(path), format version \(formatVersion)"),
        ("tokens", "\(streams.tokens.count) in \(streams.text)"),
      ] + splits.map { ($0.name, $0.text) } + [
        ("vocabulary", vocabulary.text), ("fingerprint", fingerprint), ("made by", origin.command),
      ] + origin.files.map { ("from", "\($0.name), \(Wording.counted($0.bytes, "byte"))") })
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
  var members: JSON.Members {
    [
      "level": .string(level.rawValue), "vocabulary": .integer(count),
      "unknown": unknown.map(JSON.integer) ?? .null,
    ]
  }

  /// How many tokens of what kind, for people.
  var text: String {
    "\(Wording.counted(count, level.rawValue))\(unknown == nil ? "" : ", with an unknown token")"
  }
}
