import CKernels
import Chunks
import Core
import Evaluation
import FileSystem
import MPI
import Sequences

/// Trains a model: the loop over steps, and what happens between them.
///
/// All ranks hold one, made from the same configuration, and call the same functions in the same order.
package final class Trainer {
  /// The run's resolved configuration.
  package let configuration: Configuration
  /// What it is trained on.
  package let dataset: SequenceDataset
  /// How the train split is laid over the lanes.
  package let schedule: Schedule
  /// How far the run has come.
  package private(set) var progress = TrainingProgress()

  private let communicator: Communicator
  package let step: TrainingStep
  private let transfer: StateTransfer
  private let evaluator: Evaluator?
  private let learningRate: LearningRate
  private let tiles: TilePlan
  private let store: CheckpointStore
  private let writer = CheckpointWriter()
  /// Rank 0's observer.
  package var observer: (any TrainingObserver)?
  private var skipped = 0
  private var savedStep = -1
  /// Whether the weights are there: out of a checkpoint, or as the seed makes them.
  private var hasWeights = false

  /// A run at its beginning, its states zero. Its weights are made by `run`, unless it resumes.
  ///
  /// - Parameters:
  ///   - configuration: With everything resolved: `shards` set, cross-checked with the number of ranks.
  ///   - schedule: How the train split is laid over the lanes.
  /// - Throws: `DataError` where there is no validation split to measure on, `JobError` where the epochs are too many
  ///   steps, `MPIError`, `ThreadError`.
  package init(
    _ configuration: Configuration, dataset: SequenceDataset, schedule: Schedule, store: CheckpointStore,
    communicator: Communicator
  ) throws {
    let training = configuration.training
    let setup = try StepSetup(
      configuration, tracks: dataset.tracks, steps: schedule.chunk, sourceSteps: schedule.sourceSteps,
      communicator: communicator)
    self.configuration = configuration
    self.communicator = communicator
    self.dataset = dataset
    self.store = store
    self.schedule = schedule
    tiles = setup.tiles
    step = setup.step
    transfer = setup.transfer
    evaluator =
      try configuration.evaluation.every == 0
      ? nil
      : Evaluator(
        configuration.model, memory: step.exchange.memory, dataset: dataset,
        split: dataset.split("validation"),
        mode: configuration.data.mode, longest: configuration.data.longest, lanes: training.lanes,
        chunk: configuration.evaluationChunk, freeRunning: configuration.freeRunningSeed,
        communicator: communicator)
    learningRate = try LearningRate(
      peak: training.optimizer.learningRate, schedule: training.schedule,
      steps: communicator.agree { try training.totalSteps(chunksPerEpoch: schedule.chunks(inEpoch: 0)) })
  }

  /// Which shards are where; where chunks are cut into blocks of time steps, which tiles.
  package var shards: ShardPlan { tiles.leaves }

  /// The number of weights.
  package var parameterCount: Int { step.exchange.memory.layout.parameterCount }

  /// The number of updates of the whole run, unless early stopping ends it before.
  package var totalSteps: Int { learningRate.steps }

  /// Whether nothing is left to do.
  package var isFinished: Bool {
    !progress.validationPending && (progress.step >= totalSteps || progress.stoppedEarly)
  }

  /// Restores the state of a checkpoint, which rank 0 has open, and closes it; the others pass nil. Collective.
  ///
  /// - Throws: `JobError` where the checkpoint does not fit the configuration, `MPIError`.
  package func resume(from file: CheckpointFile?) throws {
    progress = try communicator.broadcast(file?.header.progress ?? progress)
    try transfer.restore(from: file)
    hasWeights = true
    // The patience may have changed.
    progress.stoppedEarly = progress.hasLostPatience(configuration.evaluation.patience)
    // So may whether there are validations.
    progress.validationPending = progress.validationPending && evaluator != nil
    savedStep = progress.step
    // A kill may have come between the checkpoint and what follows it.
    try communicator.agree {
      guard let file else { return }
      try file.close()
      try store.prune(after: progress, keep: configuration.checkpoint.keep)
    }
  }

  /// Trains until the run is finished, or until any rank's `shouldStop` is true; then the state is in a checkpoint.
  /// Collective.
  ///
  /// It is asked while the first weights are made, when there is nothing to keep yet, at the end of each step, while
  /// the model is validated, and after a checkpoint. Checkpoints are written while training goes on; all are whole when it
  /// ends, where one fails it ends at the next step. A validation that is broken off is made when the run goes on, before
  /// the next step.
  ///
  /// A rank that waits longer for others than `training.timeout` ends the job.
  ///
  /// - Throws: `JobError` where on any rank the data cannot be read, or a checkpoint not written, or where something is
  ///   not finite and the step may not be skipped; what the observer throws, on its rank; `MPIError`, `ThreadError`.
  package func run(shouldStop: () -> Bool) throws -> Ending {
    if try !hasWeights && transfer.initialize(seed: configuration.training.seedBits, shouldStop: shouldStop) {
      return .stopped
    }
    hasWeights = true
    let feeder = try communicator.agree {
      try ChunkFeeder(
        dataset, schedule, tiles: tiles.tiles(of: communicator.rank), epoch: progress.epoch,
        chunk: progress.chunk)
    }
    defer { feeder.close() }
    let watchdog = try Watchdog.begin(
      communicator, timeout: configuration.training.timeout,
      outcome: "nothing was written, and the same command goes on from the last checkpoint")
    let ending = try makeSteps(feeder, watchdog) { [writer] in shouldStop() || writer.hasFailed }
    try finishWriting()
    try watchdog?.free()
    return ending
  }

  private func makeSteps(
    _ feeder: ChunkFeeder, _ watchdog: Watchdog?, _ shouldStop: () -> Bool
  ) throws -> Ending {
    while !isFinished {
      watchdog?.begin(step: progress.step + 1)
      let isSaved = savedStep == progress.step
      if try isSaved && communicator.any(shouldStop()) { return .stopped }
      var stops = false
      let makesUp = progress.validationPending
      if !makesUp { stops = try makeStep(feeder, shouldStop) }
      if progress.validationPending && !stops { stops = try !validate(unless: shouldStop) }
      // The best weights are kept, so they must be in a checkpoint.
      let isBest = progress.bestStep == progress.step
      guard makesUp || isFinished || stops || isBest || isDue(configuration.checkpoint.every) else {
        continue
      }
      try save(feeder)
      if stops && !isFinished { return .stopped }
    }
    return .finished
  }

  /// Makes a step; returns whether any rank asks to stop after it. Collective.
  private func makeStep(_ feeder: ChunkFeeder, _ shouldStop: () -> Bool) throws -> Bool {
    let rate = learningRate.rate(step: progress.step + 1, factor: progress.learningRateFactor)
    let outcome = try step.run(
      step: progress.step + 1, firstChunk: progress.chunks, learningRate: rate, shouldStop: shouldStop,
      nextChunk: feeder.nextChunk)
    advance(outcome)
    try checkFinite(outcome)
    let isLogged = isDue(configuration.training.logEvery) || isFinished || mayStopEarly
    try observer?.didStep(progress, outcome, learningRate: rate, waits: isLogged ? step.takeWaits() : nil)
    if isLogged { (progress.lossSinceRow, progress.targetsSinceRow) = (0, 0) }
    progress.validationPending = evaluator != nil && (isFinished || isDue(configuration.evaluation.every))
    return outcome.stops
  }

  /// Frees what the ranks share; the trainer may not be used any more. Collective.
  ///
  /// - Throws: `MPIError`.
  package func free() throws { try step.exchange.free() }

  /// Whether the validation after this step may end the run. It may be broken off, and made when the step is no longer
  /// known.
  private var mayStopEarly: Bool {
    isDue(configuration.evaluation.every) && progress.wouldLosePatience(configuration.evaluation.patience)
  }

  private func isDue(_ every: Int) -> Bool { every > 0 && progress.step % every == 0 }

  private func advance(_ outcome: StepOutcome) {
    progress.step += 1
    progress.chunks += configuration.training.accumulate
    (progress.epoch, progress.chunk) = (outcome.position.epoch, outcome.position.chunk + 1)
    guard outcome.nonFinite == nil else { return }
    progress.lossSinceRow += outcome.loss * outcome.targets
    progress.targetsSinceRow += outcome.targets
  }

  /// Ends the job where something was not finite, unless that step may be skipped.
  private func checkFinite(_ outcome: StepOutcome) throws {
    guard let nonFinite = outcome.nonFinite else {
      skipped = 0
      return
    }
    let training = configuration.training
    skipped += 1
    let cause = try diagnosis().map { "; the first such tensor is \($0)" } ?? ""
    let found = "step \(progress.step): \(nonFinite) is not finite\(cause)"
    guard training.nonFinite == .skip, skipped <= training.nonFiniteLimit else {
      let times = training.nonFinite == .skip ? ", after \(skipped - 1) skipped in a row" : ""
      let bound = training.clipNorm > 0 ? "a lower" : "some"
      return try communicator.agree {
        throw TrainingError(
          "\(found)\(times); nothing was updated; a lower training.optimizer.learning_rate or \(bound) "
            + "training.clip_norm may help")
      }
    }
    observer?.note("\(found); the step is skipped")
    step.restoreStates()
  }

  /// The first tensor that is not finite on the lowest rank that finds one. Collective.
  private func diagnosis() throws -> String? {
    let own = step.model.firstNonFinite().map { tensor in
      let own = tiles.tiles(of: communicator.rank)
      let lane = tensor.lane.map { ", lane \(own.lane(ofColumn: $0))" } ?? ""
      return "\(tensor.name) (rank \(communicator.rank)\(lane))"
    }
    let found = try communicator.allgather(own == nil ? 0 : 1)
    guard let rank = found.firstIndex(of: 1) else { return nil }
    return try communicator.broadcast(own ?? "", from: rank)
  }

  /// Ends the job where the last update has made a weight that is not finite: no later step may come to notice it.
  /// Collective.
  private func requireFiniteWeights() throws {
    let memory = step.exchange.memory
    let own = step.exchange.slices.lazy.compactMap { slice in
      let place = st_first_non_finite(slice.count, memory.weights + slice.lowerBound)
      return place < 0 ? nil : slice.lowerBound + place
    }.first
    let first = try communicator.minimum(own ?? .max)
    guard first < .max else { return }
    let name = memory.layout.parameter(at: first)?.name ?? "padding"
    try communicator.agree {
      throw TrainingError(
        "step \(progress.step): \(name) is not finite after the update; no checkpoint was written of it; a lower "
          + "training.optimizer.learning_rate or training.clip_norm may help, from the last checkpoint on")
    }
  }

  /// Measures the model on the validation split, unless any rank asks to stop; returns whether it was measured.
  /// Collective.
  private func validate(unless shouldStop: () -> Bool) throws -> Bool {
    guard let evaluator else { return false }
    try requireFiniteWeights()
    guard let metrics = try evaluator.evaluate(unless: shouldStop) else { return false }
    progress.validationPending = false
    let measure = configuration.evaluation.measure
    progress.note(
      validation: metrics[measure] ?? .nan, by: measure, isDue: isDue(configuration.evaluation.every),
      schedule: configuration.training.schedule, patience: configuration.evaluation.patience)
    try observer?.didValidate(progress, metrics)
    // Rows tell of training alone.
    _ = step.takeWaits()
    // A checkpoint of this step knows nothing of it.
    savedStep = -1
    return true
  }

  /// Begins to write a checkpoint, once the one before is whole; the lanes go on with what `feeder` has next. Collective.
  private func save(_ feeder: ChunkFeeder) throws {
    guard savedStep != progress.step else { return }
    try requireFiniteWeights()
    try finishWriting()
    let header = CheckpointHeader(
      configuration: configuration.yaml, data: dataset.description,
      datasetFingerprint: dataset.fingerprint,
      datasetPlace: DatasetPlace(of: dataset.path, run: Files.directory(of: store.directory)),
      mode: schedule.mode,
      optimizer: configuration.training.optimizer.name.rawValue, progress: progress)
    let cursors = try cursors(feeder.upcomingChunk())
    let state = try transfer.collect()
    try communicator.agree {
      guard let state else { return }
      try writer.begin(
        PendingCheckpoint(
          header: header, arrays: transfer.arrays(of: state) + cursors, state: state, store: store,
          keep: configuration.checkpoint.keep, observer: observer))
    }
    savedStep = progress.step
  }

  /// Waits until the checkpoint that is being written is whole, if there is one. Collective.
  private func finishWriting() throws {
    try WaitClock.own.withoutLimit { try communicator.agree { try writer.finish() } }
  }

  /// Where each lane goes on, on rank 0. Collective.
  private func cursors(_ next: Chunk) throws -> [CheckpointArray] {
    func gather(_ own: UnsafeMutableBufferPointer<Int>) throws -> [Int64] {
      let all = try transfer.gather(own)
      return all.map { next.epoch == progress.epoch ? Int64($0) : -1 }
    }
    func array(_ name: String, _ description: String, _ values: [Int64]) -> CheckpointArray {
      CheckpointArray(
        path: "cursors/\(name)", shape: [values.count], values: .integers(values), description: description)
    }
    return [
      array(
        "position", "the step, the epoch and the chunk in it that come next, all from 0",
        [progress.step, progress.epoch, progress.chunk].map(Int64.init)),
      array(
        "stream", "the stream of the train split that each lane goes on with; -1 at the end of the epoch",
        try gather(next.streams)),
      array("offset", "how many of the stream's targets lie before", try gather(next.offsets)),
    ]
  }
}

/// How a run ended.
package enum Ending: Sendable {
  /// All steps have been made, or early stopping ended it.
  case finished
  /// It was asked to stop; the same command continues it, or begins it where no step was made.
  case stopped
}

/// What is told of a run as it goes, on rank 0.
package protocol TrainingObserver: AnyObject {
  /// - Parameter waits: Those since the row before, if the step gets a row of metrics: every `log_every` steps, and where
  ///   the run ends or may end, so that no step is left without.
  func didStep(_ progress: TrainingProgress, _ outcome: StepOutcome, learningRate: Double, waits: RankWaits?)
    throws
  func didValidate(_ progress: TrainingProgress, _ metrics: Metrics) throws
  /// Called before the checkpoint of a step is written, on the thread that writes it: what was told up to that step must be
  /// as safe as the checkpoint is then.
  func willSave(step: Int) throws
  func note(_ message: String)
}
