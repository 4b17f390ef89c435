import Chunks

/// What a line of a text is.
package enum TextLines: String, Sendable, CaseIterable {
  /// A stream of its own.
  case streams
  /// A token, in the first of its columns; a blank line ends a stream.
  case tokens
}

/// Reads streams without targets from a plain file, for a model to predict: a table of the columns that it reads, or text.
package struct InputImport: Sendable {
  /// What the model reads.
  private let input: TrackDescription
  private let file: String
  /// What a line of a text is.
  package var lines = TextLines.streams
  /// The column of a table that tells streams apart; nil where all of it is one.
  package var stream: String?
  /// The column of a table that the rows of a stream are sorted by; nil where they stay in their order.
  package var time: String?

  /// An import of this file, or of `-`, standard input, for a model of these data.
  ///
  /// - Throws: `DataError` where the model reads initial conditions too, which plain files don't hold.
  package init(_ file: String, for description: DataDescription) throws {
    guard description.stored[.initial] == nil else {
      throw DataError(
        "the model reads initial conditions of each stream, which no table or text holds; name a dataset: `seqtrain data "
          + "import hdf5` makes one", path: file)
    }
    input = description.input
    self.file = file
  }

  /// The streams, as data without a target.
  ///
  /// - Parameter directory: Where there is room for standard input.
  /// - Throws: `DataError` where the file can't be read, has no such columns or a token that the model doesn't know.
  package func content(keptIn directory: String) throws -> DatasetContent {
    let level = if case .tokens(let vocabulary) = input { vocabulary.level } else { TokenLevel.char }
    let texts = try ImportedTexts(
      .files([[file]]), level: level, command: "", keptIn: directory, progress: { _ in })
    let (values, offsets) =
      switch input {
      case .tokens(let vocabulary): try text(texts, vocabulary)
      case .frames(let columns): try table(texts, columns)
      }
    return DatasetContent(
      try DataDescription([.input: input], horizon: 1), offsets: offsets, splits: [],
      values: [.input: values], origin: texts.origin)
  }
}

// MARK: Text

extension InputImport {
  private func text(_ texts: ImportedTexts, _ vocabulary: Vocabulary) throws -> (TrackValues, [Int]) {
    var (tokens, offsets) = ([Int32](), [0])
    func endStream() { if tokens.count > offsets[offsets.count - 1] { offsets.append(tokens.count) } }
    for source in texts.groups.joined() {
      var encoder = TokenEncoder(vocabulary)
      try texts.reader.readLines(source) { line, number in
        do {
          if lines == .streams {
            try encoder.encode(line, to: &tokens)
            endStream()
          } else if let word = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 }).first {
            tokens.append(try vocabulary.known(word.utf8))
          } else {
            endStream()
          }
        } catch let unknown as TokenEncoder.UnknownToken {
          throw DataError(
            "\(unknown.shown) is not in the model's vocabulary, which has no unknown token; leave it out",
            path: source.name,
            line: number)
        }
      }
      endStream()
    }
    guard !tokens.isEmpty else { throw texts.without("text") }
    return (.tokens(tokens), offsets)
  }
}

extension Vocabulary {
  /// The token that is spelt so in UTF-8, or the unknown one.
  fileprivate func known(_ spelling: [UInt8]) throws -> Int32 {
    guard let token = token(spelt: spelling) else { throw TokenEncoder.UnknownToken(spelling: spelling) }
    return token
  }
}

// MARK: Tables

extension InputImport {
  private func table(_ texts: ImportedTexts, _ columns: FrameColumns) throws -> (TrackValues, [Int]) {
    let sources = FlaggedColumn.all(columns.names)
    let names = sources.filter { !$0.isFlag }.map(\.name)
    var rows = TableRows(TableColumns(inputs: names, stream: stream, time: time), partColumn: nil)
    for source in texts.groups.joined() { try rows.read(source, texts.reader, part: 0) }
    guard !rows.isEmpty else { throw texts.without("row of numbers") }
    let (order, _) = try rows.order(partCount: 1)
    let table = rows.table(order)
    let places = sources.map { source in names.firstIndex(of: source.name) ?? 0 }
    let frames = (0..<table.rowCount).flatMap { row in
      columns.names.indices.map { column -> Float in
        let isMissing = table.isMissing(row, places[column])
        if sources[column].isFlag { return isMissing ? 1 : 0 }
        return isMissing ? columns.means[column] : Float(table.values[row * table.width + places[column]])
      }
    }
    return (.frames(frames), order.offsets)
  }
}

/// Where a model's column comes from: a column of a table, or whether a value is missing there.
private struct FlaggedColumn {
  let name: String
  let isFlag: Bool

  /// Those of a model's columns, as `PreparedTrack` names them.
  static func all(_ names: [String]) -> [FlaggedColumn] {
    names.map { name in
      let flagged = names.first { PreparedTrack.flagName(of: $0) == name }
      return FlaggedColumn(name: flagged ?? name, isFlag: flagged != nil)
    }
  }
}
