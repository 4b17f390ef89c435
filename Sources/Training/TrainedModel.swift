import Core
import MPI
import Sequences

/// A model out of a checkpoint: everything that evaluation and generation need, without the run or its data.
public struct TrainedModel {
  /// The checkpoint's file.
  public let path: String
  /// The configuration of the run.
  public let configuration: Configuration
  /// The vocabulary that it was trained with.
  public let vocabulary: Vocabulary
  /// The fingerprint of the dataset that it was trained on.
  public let datasetFingerprint: String
  /// How far training had come.
  public let progress: TrainingProgress
  /// The weights.
  public let memory: ParameterMemory

  /// Reads a checkpoint, verified against its manifest, on every rank.
  ///
  /// - Parameters:
  ///   - path: A checkpoint's file, or the directory of a run.
  ///   - best: Of a run, whether the checkpoint with the lowest validation loss is meant, or the newest sound one.
  /// - Throws: `TrainingError`, `HDF5Error` or `ConfigurationError` where there is none that can be read.
  public init(_ path: String, best: Bool) throws {
    let file = try Self.open(path, best: best)
    let header = file.header
    configuration = try Configuration(yaml: header.configuration, name: "\(path): /configuration")
    vocabulary = header.vocabulary
    datasetFingerprint = header.datasetFingerprint
    progress = header.progress
    self.path = file.path
    let layout = LanguageModel.layout(configuration.model, vocabulary: vocabulary.count)
    memory = ParameterMemory(layout: layout, shards: 0)
    let weights = UnsafeMutableBufferPointer(start: memory.weights, count: layout.count)
    for parameter in layout.parameters {
      try file.read(
        "parameters/\(parameter.name)", shape: parameter.shape,
        into: UnsafeMutableBufferPointer(rebasing: weights[parameter.range]))
    }
  }

  /// The checkpoint at `path`, or the newest sound or the best one of the run there.
  static func open(_ path: String, best: Bool) throws -> CheckpointFile {
    guard Files.isDirectory(path) else { return try CheckpointStore.open(path) }
    let store = CheckpointStore(directory: "\(path)/checkpoints")
    if best {
      guard let bestPath = store.bestPath else {
        throw TrainingError("\(path): no best checkpoint; there is one after the first validation")
      }
      return try CheckpointStore.open(bestPath)
    }
    let (file, failures) = try store.newestSound()
    if let file { return file }
    let reason =
      failures.isEmpty ? "not a run, or one without a checkpoint yet" : failures.joined(separator: "; ")
    throw TrainingError("\(path): no checkpoint that can be read: \(reason)")
  }
}
