import Evaluation
import FileSystem
import Sequences
import Settings
import Training

/// The job behind `seqtrain predict` and `seqtrain forecast`: what a model says of streams, which need no targets, in one
/// process.
package struct PredictionJob: Sendable {
  /// What is predicted.
  package enum Kind: Sendable {
    /// The target of each position.
    case targets
    /// So many frames behind the end of each stream, each read before the next.
    case frames(Int)
  }

  /// A checkpoint's file, or the directory of a run.
  package let path: String
  /// For a run, whether to take the best checkpoint instead of the newest sound one.
  package var best = false
  /// The dataset.
  package let dataPath: String
  /// The split of which streams are taken; nil for all streams.
  package var split: String?
  /// The file for the predictions, which must not exist yet.
  package let outputPath: String
  /// What is predicted.
  package var kind = Kind.targets

  /// A job for this checkpoint or run, dataset and output.
  package init(path: String, dataPath: String, outputPath: String) {
    self.path = path
    self.dataPath = dataPath
    self.outputPath = outputPath
  }

  /// Predicts.
  ///
  /// - Returns: What is wrong with newer checkpoints of the run.
  /// - Throws: As `TrainedModel`; `TrainingError` where the data are not such as the model reads, or it can't forecast;
  ///   `HDF5Error`, `DataError` or `FileError` where the data can't be read or the output can't be written.
  package func run() throws -> [String] {
    try Files.requirePlace(for: outputPath, existing: .refuse)
    let trained = try TrainedModel(path, best: best)
    let dataset = try SequenceDataset(dataPath)
    try requireInputs(of: trained, dataset)
    let streams = try split.map { try dataset.split($0).streams } ?? dataset.streams
    let longest = (0..<streams.count).reduce(0) { max($0, streams.offset($1 + 1) - streams.offset($1)) }
    let player = StreamPlayer(
      trained.configuration.model, trained.description, memory: trained.memory,
      longest: trained.mode == .whole ? longest : nil)
    let header = PredictionHeader(
      checkpoint: trained.path, step: trained.progress.step, dataset: dataPath,
      datasetFingerprint: dataset.fingerprint, target: trained.description.target)
    try writePredictions(outputPath, header, player.columns) { write in
      switch kind {
      case .targets: try player.predict(dataset, streams, body: write)
      case .frames(let count): try player.forecast(dataset, streams, steps: count, body: write)
      }
    }
    return trained.damaged
  }

  private func requireInputs(of trained: TrainedModel, _ dataset: SequenceDataset) throws {
    let differences = try dataset.description.inputs.differences(from: trained.description.inputs)
    guard differences.isEmpty else {
      throw TrainingError(
        "\(dataPath): not data such as the model reads: \(differences.joined(separator: "; ")); name a dataset of the same "
          + "inputs")
    }
    guard case .frames = kind, !trained.description.predictsNextFrame else { return }
    let description = trained.description
    throw TrainingError(
      "\(trained.path): the model reads \(description.input.text) and says \(description.target.text), "
        + "\(Wording.counted(description.horizon, "position")) ahead; only a model that says of each frame which comes next "
        + "can forecast; seqtrain predict says what others do of each position")
  }
}
