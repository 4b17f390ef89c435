import Core
import Crypto
import HDF5
import Sequences

/// An array of a checkpoint: a dataset and what to write there.
package struct CheckpointArray {
  /// The values, in row-major order.
  package enum Values {
    case floats(UnsafeBufferPointer<Float>)
    case integers([Int64])
  }

  let path: String
  let shape: [Int]
  let values: Values
  let description: String

  package init(path: String, shape: [Int], values: Values, description: String) {
    self.path = path
    self.shape = shape
    self.values = values
    self.description = description
  }
}

/// The groups of a checkpoint whose arrays are the training state.
package enum CheckpointGroup: String, CaseIterable {
  case cursors, optimizer, parameters, states
}

/// What a checkpoint says about itself besides its arrays.
package struct CheckpointHeader: Equatable {
  /// The kind and version of checkpoints; those of language models are written in version 1.
  package static let format = FileFormat(
    kind: "checkpoint", version: 2, origin: "checkpoints lie in the directory checkpoints of a run")

  /// The complete configuration of the run, as YAML.
  package var configuration: String
  /// The data that the model was trained on.
  package var data: DataDescription
  /// The dataset's fingerprint.
  package var datasetFingerprint: String
  /// Where the dataset lay; nil in the first checkpoints, which did not say.
  package var datasetPlace: DatasetPlace?
  /// How the dataset's streams were laid over the lanes: `contiguous`, `packed` or `whole`.
  package var mode: ScheduleMode
  /// The optimiser's name.
  package var optimizer: String
  /// How far training had come.
  package var progress: TrainingProgress

  package init(
    configuration: String, data: DataDescription, datasetFingerprint: String, datasetPlace: DatasetPlace?,
    mode: ScheduleMode, optimizer: String, progress: TrainingProgress
  ) {
    self.configuration = configuration
    self.data = data
    self.datasetFingerprint = datasetFingerprint
    self.datasetPlace = datasetPlace
    self.mode = mode
    self.optimizer = optimizer
    self.progress = progress
  }
}

/// The HDF5 file of a checkpoint.
///
///     /                   kind, format_version, dataset_fingerprint, optimizer, step, epoch, chunk, ...
///     /configuration      YAML, one line an element
///     /vocabulary         of a language model: the tokens by number
///     /data/ROLE          of other models: what the tracks of the data hold
///     /parameters/NAME    float32, named and shaped as in torch.nn
///     /optimizer/STATE/NAME   float32, named as in torch.optim
///     /states/NAME        float32 [lanes, H], what the next chunk begins with
///     /cursors/NAME       int64 [lanes], where each lane goes on in the data
package struct CheckpointFile {
  package let path: String
  package let header: CheckpointHeader
  /// The version of the format that it is written in.
  package let formatVersion: Int
  private let file: File

  /// Opens a checkpoint and reads its header.
  ///
  /// - Throws: `HDF5Error` or `TrainingError` where the file is not a checkpoint that this program can read.
  package init(_ path: String) throws {
    self.path = path
    (file, formatVersion) = try File.open(path, as: CheckpointHeader.format)
    let attributes = file.attributes
    header = CheckpointHeader(
      configuration: try file.dataset("configuration").readStrings().joined(separator: "\n") + "\n",
      data: try formatVersion == 1
        ? .language(Vocabulary(from: file)) : DataDescription(from: file.group("data")),
      datasetFingerprint: try attributes.string("dataset_fingerprint"),
      datasetPlace: try DatasetPlace(attributes),
      mode: try Self.mode(attributes, path: path),
      optimizer: try attributes.string("optimizer"),
      progress: try TrainingProgress(attributes, path: path))
  }

  private static func mode(_ attributes: Attributes, path: String) throws -> ScheduleMode {
    // The first checkpoints did not say.
    guard try attributes.contains("mode") else { return .contiguous }
    let name = try attributes.string("mode")
    guard let mode = ScheduleMode(rawValue: name) else {
      throw TrainingError(
        "\(path): the attribute mode is \(name.debugDescription), expected contiguous, packed or whole")
    }
    return mode
  }

  /// Closes the file, so that a deleted one takes no room on the disk any more.
  func close() throws { try file.close() }

  /// Reads everything through, and holds the arrays against the configuration: what can be known of a file for which no
  /// manifest vouches.
  ///
  /// - Throws: `HDF5Error`, `TrainingError`, `ConfigurationError` or `DataError` that says what is damaged.
  func verify() throws {
    try file.verify()
    let configuration = try configuration()
    try configuration.model.check(header.data.tracks)
    let blueprint = Blueprint(configuration.model, tracks: header.data.tracks)
    try requireArrays(of: blueprint.layout, in: CheckpointGroup.parameters.rawValue)
    for name in type(of: configuration.training.optimizer.makeOptimizer([])).stateNames {
      try requireArrays(of: blueprint.layout, in: "\(CheckpointGroup.optimizer)/\(name)")
    }
    let lanes = configuration.training.lanes
    for state in blueprint.states {
      try requireArray("\(CheckpointGroup.states)/\(state.name)", shape: [lanes, state.width])
    }
    for name in ["stream", "offset"] {
      try requireArray("\(CheckpointGroup.cursors)/\(name)", shape: [lanes])
    }
  }

  /// The configuration of the run, with everything decided.
  ///
  /// - Throws: `ConfigurationError` where it can't be one.
  package func configuration() throws -> Configuration {
    try Configuration(yaml: header.configuration, name: "\(path): /configuration").resolved(ranks: 1)
  }

  /// Checks that a group holds an array of every parameter's name and shape, before there is memory for them: the
  /// configuration may claim what the file does not hold.
  ///
  /// - Throws: `TrainingError` with both shapes.
  package func requireArrays(of layout: ParameterLayout, in group: String) throws {
    for parameter in layout.parameters {
      try requireArray("\(group)/\(parameter.name)", shape: parameter.shape)
    }
  }

  private func requireArray(_ array: String, shape: [Int]) throws {
    let found = try file.exists(array) ? file.dataset(array).shape : nil
    guard found == shape else {
      throw TrainingError(
        "\(path): /\(array): expected shape \(shape) for the configuration in the file, found "
          + "\(found.map { "\($0)" } ?? "none"); the file is damaged")
    }
  }

  /// Reads a float32 array whose shape must be the given one.
  package func read(_ path: String, shape: [Int], into values: UnsafeMutableBufferPointer<Float>) throws {
    let dataset = try file.dataset(path)
    try dataset.require(shape: shape)
    try dataset.read(into: values)
  }

  /// The names of the parameters, in order, with their shapes.
  package func parameterShapes() throws -> [(name: String, shape: [Int])] {
    let group = try file.group(CheckpointGroup.parameters.rawValue)
    return try group.datasetPaths().map { ($0, try group.dataset($0).shape) }
  }

  /// SHA-256, in hexadecimal, over the bytes of all weights, optimiser states, carried states and cursors in the order
  /// of their paths: equal digests mean the same training state.
  package func digest() throws -> String {
    var hash = SHA256()
    for path in try CheckpointGroup.allCases.flatMap(paths(of:)).sorted() {
      if path.hasPrefix(CheckpointGroup.cursors.rawValue) {
        try file.dataset(path).readArray(of: Int64.self).withUnsafeBytes { hash.update(bufferPointer: $0) }
      } else {
        try file.dataset(path).readArray(of: Float.self).withUnsafeBytes { hash.update(bufferPointer: $0) }
      }
    }
    return hash.finalize().hexadecimal
  }

  private func paths(of group: CheckpointGroup) throws -> [String] {
    guard try file.exists(group.rawValue) else { return [] }
    return try file.group(group.rawValue).datasetPaths().map { "\(group.rawValue)/\($0)" }
  }

  /// Fills a new file.
  static func write(_ header: CheckpointHeader, _ arrays: [CheckpointArray], to file: File) throws {
    let attributes = file.attributes
    try CheckpointHeader.format.mark(file, version: header.data.languageVocabulary == nil ? 2 : 1)
    try attributes.describe(
      "The whole state of a training run after `step` updates. parameters: weights, named and shaped as in torch.nn; "
        + "optimizer: its states, named as in torch.optim; states: the recurrent state of each lane; cursors: where "
        + "each lane goes on in the dataset. epoch: passes over the data that are complete; chunk: the number of each lane's "
        + "next chunk in this one; chunks: those trained on since the run began; best_loss: the best validation "
        + "so far by evaluation.measure, found at best_step; stopped_early and validations_since_best belong to early stopping, "
        + "learning_rate_factor and validations_on_plateau to the schedule plateau, lowest_due_loss to both; validation_pending: "
        + "whether a stop has broken off the validation after this step, which then comes first; loss_since_row and "
        + "targets_since_row: the sums behind the loss of the next row of metrics.jsonl; mode: how the dataset's streams were "
        + "laid over the lanes; dataset_path: where the dataset lay, dataset_path_from_run: the same from the run's "
        + "directory.")
    try attributes.set("dataset_fingerprint", header.datasetFingerprint)
    try header.datasetPlace?.write(to: attributes)
    try attributes.set("mode", header.mode.rawValue)
    try attributes.set("optimizer", header.optimizer)
    try header.progress.write(to: attributes)
    let lines = header.configuration.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    try file.write("configuration", strings: lines.last == "" ? lines.dropLast() : lines)
      .attributes.describe("the configuration of the run: YAML, one line an element")
    if let vocabulary = header.data.languageVocabulary {
      try vocabulary.write(to: file)
    } else {
      let data = try file.createGroup("data")
      try data.attributes.describe("What the data are that the model was trained on")
      try header.data.write(to: data)
    }
    for group in CheckpointGroup.allCases { _ = try file.createGroup(group.rawValue) }
    for array in arrays {
      let dataset =
        switch array.values {
        case .floats(let values): try file.write(array.path, values, shape: array.shape)
        case .integers(let values): try file.write(array.path, values, shape: array.shape)
        }
      try dataset.attributes.describe(array.description)
    }
  }
}
