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
    metrics = try Metrics(attributes)
  }

  /// Writes the header of a new file.
  func write(to file: File) throws {
    let attributes = file.attributes
    try Self.format.mark(file)
    try attributes.describe(
      """
      How well a model predicts the targets of a split. A stream of n tokens has n - 1 targets, its tokens but the \
      first; streams: results by stream of the split; targets: results by target, one stream after another. measures \
      names the attributes that say how well, over all targets. loss is the mean of the losses, loss_sum their sum, in \
      nats where the model is trained for a likelihood; correct counts the targets that the model held to be the most \
      probable token, accuracy is their share; errors are in the data's units. The split was laid over the lanes in that mode: the state is reset where a stream begins; \
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
    try metrics.write(to: file)
  }
}

extension Metrics {
  private static let names = "measures"

  /// Reads what `write` has written, but for the groups.
  fileprivate init(_ attributes: Attributes) throws {
    // The first files did not say which they have.
    let names =
      try attributes.contains(Self.names)
      ? attributes.string(Self.names).split(separator: " ").map(String.init)
      : ["loss", "perplexity", "bits_per_target", "accuracy"]
    values = try names.compactMap { name in
      try Measure(rawValue: name).map { Value(measure: $0, value: try attributes.number(name)) }
    }
    lossSum = try attributes.number("loss_sum")
    targets = try attributes.integer("targets")
    weightSum = try attributes.contains("weight_sum") ? attributes.number("weight_sum") : Double(targets)
    correct = try attributes.contains("correct") ? attributes.integer("correct") : nil
    isLossInNats = try !attributes.contains("loss_in_nats") || attributes.flag("loss_in_nats")
  }

  fileprivate func write(to file: File) throws {
    let attributes = file.attributes
    try attributes.set("loss_sum", lossSum)
    try attributes.set("weight_sum", weightSum)
    try attributes.set("loss_in_nats", isLossInNats)
    if let correct { try attributes.set("correct", correct) }
    try attributes.set("targets", targets)
    try attributes.set(Self.names, values.map(\.measure.rawValue).joined(separator: " "))
    for value in values { try attributes.set(value.measure.rawValue, value.value) }
    if !labels.isEmpty { try writeLabels(to: file) }
    if !units.isEmpty { try writeUnits(to: file) }
  }

  private func writeLabels(to file: File) throws {
    try file.write("labels/name", strings: labels.map(\.name)).attributes.describe("The labels")
    for (name, what, counts) in [
      ("targets", "The targets of each label", labels.map(\.targets)),
      ("predicted", "How often each label was predicted", labels.map(\.predicted)),
      ("correct", "How often each label was predicted rightly", labels.map(\.correct)),
    ] {
      try file.write("labels/\(name)", counts).attributes.describe(what, units: "target")
    }
    try file.write("labels/confusion", confusion.flatMap { $0 }, shape: [labels.count, labels.count])
      .attributes.describe(
        "How often targets of the row's label were predicted as the column's", units: "target")
  }

  private func writeUnits(to file: File) throws {
    try file.write("units/name", strings: units.map(\.name)).attributes.describe("The units of the target")
    for (name, what, values) in [
      ("mse", "The mean squared error, in the square of the data's units", units.map(\.mse)),
      ("mae", "The mean absolute error, in the data's units", units.map(\.mae)),
      ("r2", "The coefficient of determination", units.map(\.r2)),
      ("corr", "The correlation of predictions and targets", units.map(\.corr)),
    ] {
      try file.write("units/\(name)", values).attributes.describe(what)
    }
  }
}
