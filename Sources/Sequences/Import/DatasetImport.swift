import FileSystem

/// An importer that holds the data in memory until they are written.
package protocol DatasetImport: Sendable {
  /// What it makes of its files, with what whoever made them may not know of them, in sentences.
  ///
  /// - Parameters:
  ///   - command: What the dataset says of its origin.
  ///   - directory: Where there is room for standard input.
  ///   - progress: Told which part of the reading is done.
  /// - Throws: `DataError`, `FileError` or `HDF5Error` where the files can't be read, or are no such data.
  func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String])
}

extension DatasetImport {
  /// Makes the dataset `output`, whole or not at all, and returns the remarks; throws as `content`, and where `output`
  /// exists or can't be written.
  @discardableResult
  package func run(
    output: String, command: String, progress: @escaping (Double) -> Void = { _ in }
  ) throws -> [String] {
    // Before the data are read, which may take long.
    try Files.requirePlace(for: output, existing: .refuse)
    let (content, remarks) = try content(
      command: command, keptIn: Files.directory(of: output), progress: progress)
    try content.write(to: output)
    return remarks
  }
}

/// The texts that are imported, open to be read.
struct ImportedTexts {
  /// All together, or a group for each part.
  let groups: [[TextSource]]
  let reader: TextReader
  let origin: DatasetOrigin

  /// The texts of a plan.
  ///
  /// - Throws: As `PartPlan.sources` and `TextReader.init`.
  init(
    _ parts: PartPlan, level: TokenLevel = .char, command: String, keptIn directory: String,
    progress: @escaping (Double) -> Void
  ) throws {
    groups = try parts.sources(keptIn: directory)
    let sources = groups.flatMap(\.self)
    reader = try TextReader(sources, level: level, newlines: .unix, progress: progress)
    origin = DatasetOrigin(command: command, files: Array(zip(sources.map(\.name), reader.sizes)))
  }

  /// Calls `body` with each text and the number of its group; after each group, `streams` says how many there are.
  func read(
    _ body: (TextSource, _ group: Int) throws -> Void, streams: () -> Int
  ) rethrows -> [Int] {
    try groups.enumerated().map { number, group in
      for source in group { try body(source, number) }
      return streams()
    }
  }

  /// The error where they hold nothing of what was expected.
  func without(_ what: String) -> DataError {
    let names = groups.flatMap(\.self).map(\.name)
    return DataError(
      "there is no \(what) in \(names.prefix(3).joined(separator: ", "))\(names.count > 3 ? ", ..." : "")")
  }
}
