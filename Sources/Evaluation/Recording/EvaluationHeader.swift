import HDF5
import Sequences

/// What an evaluation's file says about itself: what was measured, how, and what came out.
package struct EvaluationHeader: Sendable, Equatable {
  /// What an evaluation's file says it is.
  package static let format = FileFormat(
    kind: "evaluation", version: 1, origin: "`seqtrain eval --output` makes such files")

  /// The path of the checkpoint.
  package let checkpoint: String
  /// The updates that had been made.
  package let step: Int
  /// The path of the dataset.
  package let dataset: String
  /// The dataset's fingerprint.
  package let datasetFingerprint: String
  /// The dataset's split.
  package let split: String
  /// How the split was laid over lanes.
  package let mode: String
  /// Over how many.
  package let lanes: Int
  /// The result.
  package let metrics: Metrics

  /// A header of these values.
  package init(
    checkpoint: String, step: Int, dataset: String, datasetFingerprint: String, split: String,
    mode: String, lanes: Int, metrics: Metrics
  ) {
    self.checkpoint = checkpoint
    self.step = step
    self.dataset = dataset
    self.datasetFingerprint = datasetFingerprint
    self.split = split
    self.mode = mode
    self.lanes = lanes
    self.metrics = metrics
  }

  /// Reads the header of an open file.
  ///
  /// - Throws: `HDF5Error` where it is not an evaluation's, of a newer format, or lacks something.
  package init(_ file: File) throws {
    let attributes = file.attributes
    _ = try Self.format.requireVersion(of: file)
    checkpoint = try attributes.string("checkpoint")
    step = try attributes.integer("step")
    dataset = try attributes.string("dataset")
    datasetFingerprint = try attributes.string("dataset_fingerprint")
    split = try attributes.string("split")
    mode = try attributes.string("mode")
    lanes = try attributes.integer("lanes")
    metrics = Metrics(
      lossSum: try attributes.number("loss_sum"), correct: try attributes.integer("correct"),
      targets: try attributes.integer("targets"))
  }

  /// Writes the header of a new file.
  func write(to file: File) throws {
    let attributes = file.attributes
    try Self.format.mark(file)
    try attributes.describe(
      """
      How well a model predicts the targets of a split. A stream of n tokens has n - 1 targets, its tokens but the \
      first; streams: results by stream of the split; targets: results by target, one stream after another. loss is in \
      nats a target, loss_sum in nats; correct counts the targets that the model held to be the most probable token, \
      accuracy is their share. The split was laid over the lanes in that mode: the state is reset where a stream begins; \
      in contiguous mode also where a lane begins, which then reads up to \(Schedule.leadIn) tokens of the stream before \
      its first target.
      """)
    try attributes.set("mode", mode)
    try attributes.set("lanes", lanes)
    try attributes.set("checkpoint", checkpoint)
    try attributes.set("step", step)
    try attributes.set("dataset", dataset)
    try attributes.set("dataset_fingerprint", datasetFingerprint)
    try attributes.set("split", split)
    try attributes.set("loss_sum", metrics.lossSum)
    try attributes.set("correct", metrics.correct)
    try attributes.set("targets", metrics.targets)
    try attributes.set("loss", metrics.loss)
    try attributes.set("perplexity", metrics.perplexity)
    try attributes.set("bits_per_target", metrics.bitsPerTarget)
    try attributes.set("accuracy", metrics.accuracy)
  }
}
