import HDF5
import Sequences

/// What a model attended to while it said the target of a source.
package struct AttendedTarget: Sendable {
  /// The number of the source, from 1.
  package let number: Int
  package let source: StreamValues
  /// The tokens of the target, with the one that ended it.
  package let tokens: [Int32]
  /// The weights that the positions of the source had while each of them was said. [tokens][positions]
  package let weights: [[Float]]

  /// What a translation, which has kept it, says of a source; `ends` are those of targets.
  package init(number: Int, source: StreamValues, _ translation: Translation, ends: Vocabulary.Ends) {
    self.number = number
    self.source = source
    tokens = translation.tokens + (translation.isComplete ? [ends.end] : [])
    weights = translation.attention
  }
}

/// What a file of attention says about itself.
package struct AlignmentHeader: Sendable {
  /// What such a file says it is.
  package static let format = FileFormat(
    kind: "alignment", version: 1, origin: "`seqtrain translate --alignment` makes such files")

  /// The path of the checkpoint.
  package let checkpoint: String
  /// The updates that had been made.
  package let step: Int
  /// What sources hold.
  package let source: TrackDescription
  /// What targets are said in.
  package let target: Vocabulary

  package init(checkpoint: String, step: Int, source: TrackDescription, target: Vocabulary) {
    (self.checkpoint, self.step, self.source, self.target) = (checkpoint, step, source, target)
  }
}

/// Takes what a model attended to, target by target.
package protocol AlignmentWriter: AnyObject {
  func write(_ target: AttendedTarget) throws
  /// Writes what comes behind the last.
  func finish() throws
}

/// What a model attended to, in a new HDF5 file:
///
///     /                 kind, format_version, checkpoint, step
///     /number           int64 [P], the number of each source, from 1
///     /source/offsets   int64 [P + 1], where the positions of each source begin, and the end of the last
///     /source/values    int32 [N], their tokens, spelt by /source/vocabulary; of sources of frames there is neither
///     /target/offsets, /target/values, /target/vocabulary    the same of targets, with the tokens that ended them
///     /weights/values   float32 [W], of each pair a row for each token of its target, with a weight for each position of its
///                       source
///     /weights/offsets  int64 [P + 1]
package final class AlignmentArrays: AlignmentWriter {
  private let file: File
  private let (source, target): (Dataset?, Dataset)
  private let weights: Dataset
  private var numbers: [Int] = []
  private var offsets = (source: [0], target: [0], weights: [0])

  /// - Throws: `HDF5Error` where the file can't be written.
  package init(_ file: File, _ header: AlignmentHeader) throws {
    self.file = file
    try AlignmentHeader.format.mark(file)
    try file.attributes.describe(
      "What a model attended to while it said targets. Of pair p, source and target have the rows from offsets[p] up to, not "
        + "including, offsets[p + 1]; weights/values has a row for each token of the target, with a weight for each position of "
        + "the source: the mean over all heads")
    try file.attributes.set("checkpoint", header.checkpoint)
    try file.attributes.set("step", header.step)
    let (sources, targets) = try (file.createGroup("source"), file.createGroup("target"))
    try header.source.write(to: sources, "What the model read")
    try TrackDescription.tokens(header.target).write(to: targets, "What it said")
    source =
      if case .tokens = header.source {
        try sources.createDataset("values", of: Int32.self, shape: [0], growing: true)
      } else { nil }
    target = try targets.createDataset("values", of: Int32.self, shape: [0], growing: true)
    weights = try file.createDataset(
      "weights/values", of: Float.self, shape: [0], growing: true, compressed: true)
    try weights.attributes.describe(
      "Of each pair, the weights [tokens of the target, positions of the source], row by row")
  }

  package func write(_ pair: AttendedTarget) throws {
    numbers.append(pair.number)
    if case .tokens(let tokens) = pair.source { try source?.append(tokens) }
    try target.append(pair.tokens)
    try weights.append(Array(pair.weights.joined()))
    offsets.source.append(offsets.source[numbers.count - 1] + pair.source.count)
    offsets.target.append(offsets.target[numbers.count - 1] + pair.tokens.count)
    offsets.weights.append(offsets.weights[numbers.count - 1] + pair.tokens.count * pair.source.count)
  }

  package func finish() throws {
    try file.write("number", numbers).attributes.describe("The number of each source, from 1")
    for (name, offsets) in [
      ("source", offsets.source), ("target", offsets.target), ("weights", offsets.weights),
    ] {
      try file.write("\(name)/offsets", offsets).attributes.describe(
        "The beginning of the \(name) of each pair, and the end of the last")
    }
  }
}

/// What a file of attention tells of itself.
package struct AlignmentSummary: Sendable {
  /// As `AlignmentHeader` has them.
  package let (checkpoint, step): (String, Int)
  /// The targets that it tells of, and their tokens.
  package let (targets, tokens): (Int, Int)

  /// Reads that of an open file.
  ///
  /// - Throws: `HDF5Error` where it is not one of attention, of a newer format, or lacks something.
  package init(_ file: File) throws {
    _ = try AlignmentHeader.format.requireVersion(of: file)
    (checkpoint, step) = try (file.attributes.string("checkpoint"), file.attributes.integer("step"))
    (targets, tokens) = try (file.dataset("number").rowCount, file.dataset("target/values").rowCount)
  }
}
