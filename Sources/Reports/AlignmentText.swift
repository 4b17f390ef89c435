import Evaluation
import FileSystem
import Glibc
import Sequences

/// What a model attended to, in a new file of JSON: an object with `kind`, `format_version`, `checkpoint`, `step` and `pairs`.
///
/// A pair has `number`, that of its source; `source`, the tokens, or of frames `positions`, their number, and where they lie in
/// a grid `grid`, its rows and columns; `target`, the tokens, with the one that ended it; and `weights`, an array for each token
/// of the target, with a weight for each position of the source.
package final class AlignmentText: AlignmentWriter {
  private let path: String
  private let header: AlignmentHeader
  private let descriptor: Int32
  private var text: String
  private var isFirst = true

  /// Makes the file `temporary`, which errors call `path`.
  package init(_ temporary: String, named path: String, _ header: AlignmentHeader) throws {
    (self.path, self.header) = (path, header)
    descriptor = try Files.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
    let facts = JSON.object([
      "kind": .string(AlignmentHeader.format.kind),
      "format_version": .integer(AlignmentHeader.format.version),
      "checkpoint": .string(header.checkpoint), "step": .integer(header.step),
    ])
    text = "\(facts.text.dropLast()),\"pairs\":["
  }

  deinit { close(descriptor) }

  package func write(_ pair: AttendedTarget) throws {
    var members: JSON.Members = ["number": .integer(pair.number)]
    if let tokens = header.spellings(of: pair.source) {
      members.append(["source": .array(tokens.map(JSON.string))])
    } else {
      members.append(["positions": .integer(pair.source.count)])
    }
    if let grid = header.grid {
      members.append(["grid": .array([.integer(grid.rows), .integer(grid.columns)])])
    }
    members.append([
      "target": .array(pair.tokens.map { .string(header.target.spellings[Int($0)]) }),
      "weights": .array(pair.weights.map { .array($0.map(JSON.init)) }),
    ])
    text += (isFirst ? "\n" : ",\n") + JSON.object(members).text
    isFirst = false
    if text.utf8.count > 1 << 16 { try flush() }
  }

  package func finish() throws {
    text += "\n]}\n"
    try flush()
  }

  private func flush() throws {
    try Files.write(Array(text.utf8), to: descriptor, path: path)
    text = ""
  }
}

extension JSON {
  /// A number in as few digits as tell it from other `Float`s.
  fileprivate init(_ number: Float) { self = .number(Double(number.description) ?? .nan) }
}

extension AlignmentHeader {
  /// How the tokens of a source are spelt; nil of frames.
  func spellings(of source: StreamValues) -> [String]? {
    guard case .tokens(let vocabulary) = self.source, case .tokens(let tokens) = source else { return nil }
    return tokens.map { vocabulary.spellings[Int($0)] }
  }

  /// How the positions of sources lie, where they are pictures.
  var grid: FrameGrid? { if case .frames(let columns) = source { columns.grid } else { nil } }
}
