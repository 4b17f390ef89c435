/// What a checkpoint is, without its arrays.
public struct CheckpointSummary: Sendable {
  /// The checkpoint's file.
  public let path: String
  /// The version of the format that it is written in.
  public let formatVersion: Int
  /// The configuration of the run.
  public let configuration: Configuration
  /// The number of tokens in the vocabulary.
  public let vocabularyCount: Int
  /// The fingerprint of the dataset that it was trained on.
  public let datasetFingerprint: String
  /// How far training had come.
  public let progress: TrainingProgress
  /// The number of weights.
  public let parameters: Int
  /// SHA-256 over all weights, optimiser states, carried states and cursors: equal digests mean equal training states.
  public let digest: String

  /// Reads a checkpoint, verified against its manifest.
  ///
  /// - Parameter path: A checkpoint's file, or the directory of a run, whose newest sound one is meant.
  /// - Throws: `TrainingError`, `HDF5Error` or `ConfigurationError` where there is none that can be read.
  public init(_ path: String) throws {
    let file = try TrainedModel.open(path, best: false)
    self.path = file.path
    formatVersion = file.formatVersion
    configuration = try Configuration(yaml: file.header.configuration, name: "\(file.path): /configuration")
    vocabularyCount = file.header.vocabulary.count
    datasetFingerprint = file.header.datasetFingerprint
    progress = file.header.progress
    parameters = try file.parameterCount()
    digest = try file.digest()
  }
}
