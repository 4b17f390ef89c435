import ArgumentParser
import Sequences
import Training

/// `seqtrain data info`
struct DataInfo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Shows what a dataset holds.",
    discussion: "Reads all of it, and fails where a token or the fingerprint is wrong.")

  @Argument(help: "The dataset.", completion: .file())
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let dataset = try SequenceDataset(path)
    try dataset.verify()
    print(json ? dataset.json.text : dataset.text)
  }
}

extension SequenceDataset {
  fileprivate var json: JSON {
    .object([
      "kind": .string("dataset"), "format_version": .integer(formatVersion),
      "tokens": .integer(streams.tokens.count), "streams": .integer(streams.count),
      "splits": .array(splits.map(\.json)), "level": .string(vocabulary.level.rawValue),
      "vocabulary": .integer(vocabulary.count), "unknown": vocabulary.unknown.map(JSON.integer) ?? .null,
      "fingerprint": .string(fingerprint), "command": .string(origin.command),
      "files": .array(
        origin.files.map { .object(["name": .string($0.name), "bytes": .integer($0.bytes)]) }),
    ])
  }

  /// What it holds, for people.
  var text: String {
    let unknown = vocabulary.unknown == nil ? "" : ", with an unknown token"
    let lines =
      [
        "dataset      \(path), format version \(formatVersion)",
        "tokens       \(streams.tokens.count) in \(streams.text)",
      ] + splits.map(\.text) + [
        "vocabulary   \(vocabulary.count) \(vocabulary.level)s\(unknown)",
        "fingerprint  \(fingerprint)",
        "made by      \(origin.command)",
      ] + origin.files.map { "from         \($0.name), \($0.bytes) bytes" }
    return lines.joined(separator: "\n")
  }
}

extension DatasetSplit {
  fileprivate var json: JSON {
    .object([
      "name": .string(name), "tokens": .integer(streams.tokens.count), "streams": .integer(streams.count),
      "pairs": .integer(streams.pairs), "floor": floor.map(JSON.number) ?? .null,
    ])
  }

  fileprivate var text: String {
    let title = name + String(repeating: " ", count: max(0, 11 - name.count))
    let floor = floor.map { ", entropy floor \(Progress.decimal($0, places: 4)) nats a target" } ?? ""
    return
      "\(title)  \(streams.tokens.count) tokens, \(streams.text), \(streams.pairs) targets\(floor)"
  }
}

extension StreamTable {
  fileprivate var text: String { count == 1 ? "1 stream" : "\(count) streams" }
}
