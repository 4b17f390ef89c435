import Chunks
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
  /// A dataset; or a table or text, as `InputImport` reads them.
  package let dataPath: String
  /// The dataset's split of which streams are taken; nil for all streams.
  package var split: String?
  /// What tells the streams of a table apart, what its rows are sorted by, and what a line of a text is.
  package var (stream, time, lines): (String?, String?, TextLines?)
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
    guard trained.description.source == nil else {
      throw TrainingError(
        "\(trained.path): the model reads pairs, but seqtrain predict and forecast go along single streams; decode sources "
          + "by seqtrain translate")
    }
    try requireForecast(of: trained)
    let (source, streams, fingerprint) = try openData(for: trained)
    let longest = (0..<streams.count).reduce(0) { max($0, streams.offset($1 + 1) - streams.offset($1)) }
    let player = try player(of: trained, longest: longest)
    let header = PredictionHeader(
      checkpoint: trained.path, step: trained.progress.step, dataset: dataPath,
      datasetFingerprint: fingerprint, target: trained.description.target)
    try writePredictions(outputPath, header, player.columns) { write in
      switch kind {
      case .targets: try player.predict(source, streams, body: write)
      case .frames(let count): try player.forecast(source, streams, steps: count, body: write)
      }
    }
    return trained.damaged
  }

  /// What plays the streams through the model, if there is memory for it.
  private func player(of trained: TrainedModel, longest: Int) throws -> StreamPlayer {
    func make() -> StreamPlayer {
      StreamPlayer(
        trained.configuration.model, trained.description, memory: trained.memory,
        longest: trained.mode == .whole ? longest : nil)
    }
    try AvailableMemory.require(
      MemoryMeasurement.peakBytes(of: make),
      for: "\(dataPath): passes over its streams",
      remedy: "cut the streams, or use another machine")
    return make()
  }

  /// The streams; of a dataset, which is HDF5, with its fingerprint.
  private func openData(for trained: TrainedModel) throws -> (
    any StreamSource, StreamTable, fingerprint: String?
  ) {
    guard !Files.isHDF5(dataPath) else {
      try refuse([("--stream", stream), ("--time", time), ("--lines", lines?.rawValue)], "a table or text")
      let dataset = try SequenceDataset(dataPath)
      try requireInputs(of: trained, dataset)
      return (
        dataset, try split.map { try dataset.split($0).streams } ?? dataset.streams, dataset.fingerprint
      )
    }
    try refuse([("--split", split)], "a dataset")
    var data = try InputImport(dataPath, for: trained.description)
    switch trained.description.input {
    case .tokens:
      try refuse([("--stream", stream), ("--time", time)], "a table, and the model reads text")
      data.lines = lines ?? .streams
    case .frames:
      try refuse([("--lines", lines?.rawValue)], "text, and the model reads tables")
      (data.stream, data.time) = (stream, time)
    }
    let content = try data.content(keptIn: Files.directory(of: outputPath))
    return (content, try content.streams, nil)
  }

  /// Throws where an option is given that is for other data.
  private func refuse(_ options: [(name: String, value: String?)], _ data: String) throws {
    guard let option = options.first(where: { $0.value != nil }) else { return }
    throw DataError("\(option.name) is for \(data); leave it out", path: dataPath)
  }

  private func requireInputs(of trained: TrainedModel, _ dataset: SequenceDataset) throws {
    let differences = try dataset.description.inputs.differences(from: trained.description.inputs)
    guard differences.isEmpty else {
      throw TrainingError(
        "\(dataPath): not data such as the model reads: \(differences.joined(separator: "; ")); name a dataset of the same "
          + "inputs")
    }
  }

  private func requireForecast(of trained: TrainedModel) throws {
    let description = trained.description
    guard case .frames = kind, !description.predictsNextFrame else { return }
    throw TrainingError(
      "\(trained.path): the model reads \(description.input.text) and says \(description.target.text), "
        + "\(Wording.counted(description.horizon, "position")) ahead; only a model that says of each frame which comes next "
        + "can forecast; seqtrain predict says what others do of each position")
  }
}
