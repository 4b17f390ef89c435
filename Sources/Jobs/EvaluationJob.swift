import Chunks
import Core
import Evaluation
import FileSystem
import HDF5
import MPI
import Preconditions
import Reports
import Sequences
import Training

/// The job behind `seqtrain eval`: measures a model from a checkpoint alone, on any number of ranks.
package struct EvaluationJob: Sendable {
  /// A checkpoint's file, or the directory of a run.
  package var path: String
  /// For a run, whether to take the checkpoint with the lowest validation loss instead of the newest sound one.
  package var best = false
  /// The dataset; nil for the one the model was trained on.
  package var dataPath: String?
  /// The dataset's split; nil for `test` if there is one, otherwise `validation`.
  package var split: String?
  /// The file for results by stream and target, which must not exist yet; nil for none.
  package var outputPath: String?
  /// Whether the model is also measured where it reads what it draws itself.
  package var runsFree = false
  /// The hypotheses that are followed side by side where the model also says the targets of pairs by itself; nil where it
  /// doesn't.
  package var beam: Int?
  /// Whether hidden states are written there too.
  package var states = false

  /// A job for this checkpoint or run.
  package init(path: String) { self.path = path }

  /// Evaluates; all ranks return the same report. Collective.
  ///
  /// Only rank 0 reads the checkpoint, so that all ranks evaluate the same one even while training goes on. A rank that waits
  /// longer for others than the run's `training.timeout` ends the job.
  ///
  /// - Parameter progress: Called on every rank with the number of chunks done and the number of all.
  /// - Throws: `JobError` if the ranks agree that the job can't go on; any other error is one rank's alone.
  package func run(
    _ communicator: Communicator, progress: (_ chunks: Int, _ of: Int) -> Void = { _, _ in }
  ) throws -> EvaluationReport {
    let trained = try communicator.agree {
      communicator.rank == 0 ? try TrainedModel(path, best: best) : nil
    }
    let configuration = try Configuration(
      yaml: communicator.broadcast(trained?.configuration.yaml ?? ""), name: "the configuration of rank 0")
    let watchdog = try Watchdog.begin(
      communicator, timeout: configuration.training.timeout,
      outcome: "nothing was written, and the same command begins anew")
    let dataset = try openDataset(for: trained, communicator)
    let split = try communicator.agree { try dataset.split(self.split ?? Self.defaultSplit(of: dataset)) }
    func makeEvaluator(_ memory: ParameterMemory) throws -> Evaluator {
      try Evaluator(
        configuration.model, memory: memory, dataset: dataset, split: split, mode: configuration.data.mode,
        longest: configuration.data.longest,
        lanes: configuration.training.lanes, chunk: configuration.evaluationChunk,
        freeRunning: runsFree ? configuration.training.seedBits : nil, decoding: decoding(of: split),
        communicator: communicator)
    }
    try communicator.agree { try check(configuration.model, dataset) }
    let holdsTokens = try checkMemory(configuration, trained, dataset, communicator, makeEvaluator)
    let tokens = holdsTokens ? try dataset.holdTokens(communicator) : nil
    let memory = try communicator.broadcastWeights(of: trained, configuration.model, dataset.tracks)
    let evaluator = try communicator.agree { try makeEvaluator(memory) }

    let checkpoint = try communicator.broadcast(trained?.path ?? "")
    let step = try communicator.broadcast(trained?.progress.step ?? 0)
    func header(_ metrics: Metrics) -> EvaluationHeader {
      EvaluationHeader(
        checkpoint: checkpoint, step: step, dataset: dataset.path, datasetFingerprint: dataset.fingerprint,
        split: split.name, mode: evaluator.schedule.mode.rawValue, lanes: evaluator.schedule.lanes,
        metrics: metrics)
    }
    let metrics: Metrics
    if let outputPath {
      metrics = try communicator.creating { body in
        try File.createAtomically(outputPath, existing: .refuse, write: body)
      } _: { (file: File?) in
        let recorder = try communicator.agree {
          try EvaluationRecorder(evaluator, file, states: states, communicator: communicator)
        }
        let metrics = try evaluator.evaluate(observe: recorder.record, progress: progress)
        return (metrics, { try recorder.finish(header(metrics)) })
      }
    } else {
      metrics = try evaluator.evaluate(progress: progress)
    }
    try tokens?.free()
    try watchdog?.free()
    return EvaluationReport(header: header(metrics), floor: split.floor, damaged: trained?.damaged ?? [])
  }

  /// Throws where the model can't be measured in the ways that are asked for.
  private func check(_ model: ModelConfiguration, _ dataset: SequenceDataset) throws {
    let targets = dataset.description.targets
    if runsFree, !InputSampler.applies(to: model, tracks: dataset.tracks, targets) {
      throw TrainingError(
        "\(path): --free-running is for models that read the tokens they say, of texts or of pairs, in one direction; leave "
          + "it out")
    }
    guard beam != nil else { return }
    guard dataset.tracks.source != nil, case .tokens(let said) = dataset.description.target, said.ends != nil
    else {
      throw TrainingError("\(path): --decode is for models of pairs that say texts; leave it out")
    }
  }

  /// How targets are looked for, up to twice as long as the longest of the split.
  private func decoding(of split: DatasetSplit) -> DecodingOptions? {
    guard let beam else { return nil }
    var options = DecodingOptions()
    options.beam = beam
    let streams = split.streams
    options.longest = 2 * (0..<streams.count).reduce(1) { max($0, streams.pairs(of: $1)) }
    return options
  }

  /// Throws if the hosts lack memory for the evaluation; returns whether they can also hold all tokens. Collective.
  private func checkMemory(
    _ configuration: Configuration, _ trained: TrainedModel?, _ dataset: SequenceDataset,
    _ communicator: Communicator, _ makeEvaluator: (ParameterMemory) throws -> Evaluator
  ) throws -> Bool {
    let layout = Blueprint(configuration.model, tracks: dataset.tracks).layout
    let check = try MemoryCheck(communicator)
    let (_, holdsTokens) = try check.require(
      configuration, tokens: dataset.byteCount, mayChange: false
    ) { _, holdsTokens in
      var footprint = MemoryFootprint()
      var feeder: (schedule: Schedule, lanes: Int)?
      footprint.own = try MemoryMeasurement.peakBytes {
        // Rank 0 has read its weights.
        let memory = trained?.memory ?? ParameterMemory(layout: layout, shards: 0)
        let evaluator = try makeEvaluator(memory)
        feeder = (evaluator.schedule, evaluator.lanes(of: communicator.rank).count)
        let recorder =
          outputPath == nil
          ? nil : try EvaluationRecorder(evaluator, nil, states: states, communicator: communicator)
        return (memory, evaluator, recorder)
      }
      if let (schedule, lanes) = feeder {
        footprint.own += ChunkFeeder.byteCount(of: dataset, schedule, lanes: lanes, isHeld: holdsTokens)
      }
      return footprint
    }
    try check.free()
    return holdsTokens
  }

  private static func defaultSplit(of dataset: SequenceDataset) -> String {
    dataset.splits.contains { $0.name == "test" } ? "test" : "validation"
  }

  /// Opens on all ranks the dataset that rank 0 finds. Collective.
  private func openDataset(
    for trained: TrainedModel?, _ communicator: Communicator
  ) throws -> SequenceDataset {
    let found = try communicator.agree { try trained.map { try dataPath ?? $0.data.find() } }
    let path = try communicator.broadcast(found ?? "")
    let dataset = try communicator.agree {
      let dataset = try SequenceDataset(path)
      if let trained { try requireData(of: trained, dataset) }
      return dataset
    }
    try dataset.requireSame(on: communicator)
    var normalization = (trained?.description ?? dataset.description).normalization
    try normalization.withUnsafeMutableBufferPointer { try communicator.broadcast($0) }
    return try communicator.agree { try dataset.normalized(by: normalization) }
  }

  private func requireData(of trained: TrainedModel, _ dataset: SequenceDataset) throws {
    let differences = dataset.description.differences(from: trained.description)
    guard differences.isEmpty else {
      throw TrainingError(
        "\(dataset.path): not data such as the model was trained on: \(differences.joined(separator: "; ")); evaluate on a "
          + "split of the model's own dataset, or on a dataset of the same tracks and vocabularies")
    }
  }
}
