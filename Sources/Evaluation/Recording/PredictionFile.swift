import FileSystem
import Glibc
import HDF5
import Sequences

/// What a file of predictions says about itself.
package struct PredictionHeader: Sendable {
  /// What such a file says it is.
  package static let format = FileFormat(
    kind: "prediction", version: 1, origin: "`seqtrain predict --output` makes such files")

  /// The path of the checkpoint.
  package let checkpoint: String
  /// The updates that had been made.
  package let step: Int
  /// The path of the dataset, table or text.
  package let dataset: String
  /// The dataset's fingerprint; nil of a table or text.
  package let datasetFingerprint: String?
  /// What is predicted: the targets of the data that the model was trained on.
  package let target: TrackDescription

  package init(
    checkpoint: String, step: Int, dataset: String, datasetFingerprint: String?, target: TrackDescription
  ) {
    self.checkpoint = checkpoint
    self.step = step
    self.dataset = dataset
    self.datasetFingerprint = datasetFingerprint
    self.target = target
  }
}

/// What a file of predictions tells of itself.
package struct PredictionSummary: Sendable {
  /// As `PredictionHeader` has them.
  package let (checkpoint, step, dataset): (String, Int, String)
  package let datasetFingerprint: String?
  /// The streams that have predictions.
  package let streams: Int
  /// The positions of them all.
  package let positions: Int

  /// Reads that of an open file.
  ///
  /// - Throws: `HDF5Error` where it is not one of predictions, of a newer format, or lacks something.
  package init(_ file: File) throws {
    let attributes = file.attributes
    _ = try PredictionHeader.format.requireVersion(of: file)
    (checkpoint, step, dataset) = try (
      attributes.string("checkpoint"), attributes.integer("step"), attributes.string("dataset")
    )
    let name = "dataset_fingerprint"
    datasetFingerprint = try attributes.contains(name) ? attributes.string(name) : nil
    (streams, positions) = try (file.dataset("streams/number").rowCount, file.dataset("position").rowCount)
  }
}

/// Writes predictions to a new file, whole or not at all: a table where its name ends in .csv, otherwise HDF5.
///
///     /                 kind, format_version, checkpoint, step, dataset, dataset_fingerprint
///     /streams/number   int64 [S], the streams that have predictions
///     /streams/first    int64 [S + 1], each stream's first row, and the end of the last
///     /position         int64 [P], the position in its stream of what a row predicts
///     /prediction       int32 [P], the number of a label or token; or float64 [P, D], in the data's units
///     /probability      float64 [P]; or /variance, float64 [P, D]: where the model says so
///     /labels, or /columns and /units
///
/// - Parameter body: Passes on all predictions, stream by stream.
/// - Throws: `FileError` or `HDF5Error` where the file exists or can't be written; what `body` throws.
package func writePredictions(
  _ path: String, _ header: PredictionHeader, _ columns: [PredictionColumns],
  body: (_ write: (StreamPrediction) throws -> Void) throws -> Void
) throws {
  if path.hasSuffix(".csv") {
    try Files.createAtomically(path, existing: .refuse) { temporary in
      let table = try PredictionTable(temporary, named: path, header.target, columns)
      defer { table.close() }
      try body(table.write)
      try table.flush()
    } verify: { _ in
    }
  } else {
    try File.createAtomically(path, existing: .refuse) { file in
      let arrays = try PredictionArrays(file, header, columns)
      try body(arrays.write)
      try arrays.finish()
    }
  }
}

/// Predictions as HDF5.
private final class PredictionArrays {
  private let file: File
  private let columns: [PredictionColumns]
  private let hasTokens: Bool
  private let arrays: [Dataset]
  private let positions: Dataset
  private var streams: [Int] = []
  private var first = [0]

  init(_ file: File, _ header: PredictionHeader, _ columns: [PredictionColumns]) throws {
    self.file = file
    self.columns = columns
    hasTokens = if case .tokens = header.target { true } else { false }
    let attributes = file.attributes
    try PredictionHeader.format.mark(file)
    try attributes.describe(
      "What a model predicts of streams: a row a position. streams/number: the streams, by their number in the dataset "
        + "or its split; streams/first: where the rows of each begin, and the end of the last.")
    try attributes.set("checkpoint", header.checkpoint)
    try attributes.set("step", header.step)
    try attributes.set("dataset", header.dataset)
    if let fingerprint = header.datasetFingerprint { try attributes.set("dataset_fingerprint", fingerprint) }
    positions = try file.createDataset("position", of: Int.self, shape: [0], growing: true)
    try positions.attributes.describe("The position in its stream, from 0, of what a row predicts")
    let hasTokens = hasTokens
    arrays = try columns.map { column in
      let shape = [0] + (column.width > 1 ? [column.width] : [])
      let array =
        hasTokens && column.name == "prediction"
        ? try file.createDataset(column.name, of: Int32.self, shape: shape, growing: true)
        : try file.createDataset(column.name, of: Double.self, shape: shape, growing: true)
      try array.attributes.describe(column.description)
      return array
    }
    switch header.target {
    case .tokens(let vocabulary):
      try file.write("labels", strings: vocabulary.spellings).attributes.describe(
        "What is predicted, by its number")
    case .frames(let columns):
      try file.write("columns", strings: columns.names).attributes.describe("The columns that are predicted")
      try file.write("units", strings: columns.units).attributes.describe("What each column is measured in")
    }
  }

  func write(_ prediction: StreamPrediction) throws {
    streams.append(prediction.stream)
    first.append(first[first.count - 1] + prediction.values.count)
    try positions.append(prediction.values.indices.map { prediction.firstPosition + $0 })
    var start = 0
    for (column, array) in zip(columns, arrays) {
      let values = prediction.values.flatMap { $0[start..<start + column.width] }
      start += column.width
      if hasTokens && column.name == "prediction" {
        try array.append(values.map { Int32($0) })
      } else {
        try array.append(values)
      }
    }
  }

  func finish() throws {
    try file.write("streams/number", streams).attributes.describe("The streams that have predictions")
    try file.write("streams/first", first).attributes.describe(
      "The first row of each stream, and the end of the last")
  }
}

/// Predictions as lines of values with commas between, under a line of names.
private final class PredictionTable {
  private let path: String
  private let descriptor: Int32
  private let target: TrackDescription
  private var text = ""

  init(_ temporary: String, named path: String, _ target: TrackDescription, _ columns: [PredictionColumns])
    throws
  {
    self.path = path
    self.target = target
    descriptor = try Files.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
    var names = ["stream", "position"]
    for column in columns {
      switch target {
      case .frames(let frames) where column.name == "prediction": names += frames.names
      case .frames(let frames): names += frames.names.map { "\($0) \(column.name)" }
      case .tokens: names.append(column.name)
      }
    }
    text = names.map(quoted).joined(separator: ",") + "\n"
  }

  func write(_ prediction: StreamPrediction) throws {
    for (index, values) in prediction.values.enumerated() {
      text += "\(prediction.stream),\(prediction.firstPosition + index)"
      for (place, value) in values.enumerated() {
        if place == 0, case .tokens(let vocabulary) = target {
          text += ",\(quoted(vocabulary.spellings[Int(value)]))"
        } else {
          text += ",\(Float(value))"
        }
      }
      text += "\n"
      if text.utf8.count > 1 << 16 { try flush() }
    }
  }

  func flush() throws {
    try Files.write(Array(text.utf8), to: descriptor, path: path)
    text = ""
  }

  func close() { Glibc.close(descriptor) }
}

/// As RFC 4180 has it.
private func quoted(_ value: String) -> String {
  guard value.contains(where: { ",\"\r\n".contains($0) || $0.isNewline }) else { return value }
  return "\"\(value.replacing("\"", with: "\"\""))\""
}
