import Evaluation
import FileSystem
import Sequences
import Training

/// Turns what the trainer tells into rows and lines, on rank 0.
package final class JobReporter: TrainingObserver {
  private let trainer: Trainer
  private let run: RunDirectory
  private let dataset: SequenceDataset
  private let ranks: Int
  private let reporter: RunReporter
  private let resumedStep: Int
  /// Why a row could not be written, where that is so: then the job is to stop. Rank 0 is alone with it for now.
  package private(set) var failure: (any Error)?
  private let clock = ContinuousClock()
  /// When the last row was written, and the sum of the targets' weights since then.
  private var last: ContinuousClock.Instant
  private var targets = 0.0

  /// For a run that is about to begin or go on; opens its files.
  ///
  /// - Throws: `FileError` where one can't be written.
  package init(_ trainer: Trainer, run: RunDirectory, dataset: SequenceDataset, ranks: Int) throws {
    self.trainer = trainer
    self.run = run
    self.dataset = dataset
    self.ranks = ranks
    resumedStep = trainer.progress.step
    reporter = try RunReporter(run: run, resumedFrom: trainer.progress, totalSteps: trainer.totalSteps)
    last = clock.now
  }

  /// Says what run this is, what it takes, and where it stands.
  package func introduce(
    _ changes: [SettingChange], notes: [String], memory: MemoryDemand, checkpoints: CheckpointRoom?
  ) {
    let logger = reporter.logger
    let training = trainer.configuration.training
    let model = trainer.configuration.model
    for note in notes + machineNotes(for: training.precision) { logger.warning("\(note)") }
    for change in changes { logger.info("\(change)") }
    logger.info(
      "\(run.path): \(model.cell) \(model.layers) x \(model.hidden), \(Wording.counted(trainer.parameterCount, "parameter")), on \(dataset.path)"
    )
    logger.info(
      """
      \(Wording.counted(ranks, "rank")), \(Wording.counted(training.shards, "shard")), \
      \(Wording.counted(training.lanes, "lane")), chunks of \(training.chunk), \(trainer.schedule.mode) mode, \
      \(Wording.counted(trainer.totalSteps, "step"))
      """)
    let shared = memory.shared > 0 ? ", \(Wording.bytes(memory.shared)) shared a host" : ""
    let disk = checkpoints.map { "; checkpoints: \($0.count) x \(Wording.bytes($0.bytes))" } ?? ""
    logger.info("memory: \(Wording.bytes(memory.rank)) a rank\(shared)\(disk)")
    if trainer.isFinished {
      let remedy =
        trainer.progress.stoppedEarly
        ? "evaluation.patience higher, or 0" : "training.steps or training.epochs higher"
      logger.info("the run is finished at step \(resumedStep); to extend it, set \(remedy)")
    } else if resumedStep > 0 {
      logger.info("resumed at step \(resumedStep)")
    }
  }

  package func didStep(_ progress: TrainingProgress, _ outcome: StepOutcome, learningRate: Double) {
    targets += outcome.targets
    guard progress.step % trainer.configuration.training.logEvery == 0 else { return }
    let now = clock.now
    let row = TrainingRow(
      step: progress.step, epoch: progress.epoch, loss: progress.meanLossSinceRow, norm: outcome.norm,
      clipped: outcome.clipped, learningRate: learningRate,
      tokensPerSecond: targets / ((now - last) / .seconds(1)))
    write { try reporter.report(row) }
    (last, targets) = (now, 0)
  }

  package func didValidate(_ progress: TrainingProgress, _ metrics: Metrics) {
    let row = ValidationRow(
      step: progress.step, epoch: progress.epoch, loss: metrics.loss,
      best: progress.bestStep == progress.step)
    write { try reporter.report(row) }
    // Validation is not counted in the rate of training.
    (last, targets) = (clock.now, 0)
  }

  /// After a row that could not be written, which may be there in part, no other may follow.
  private func write(_ row: () throws -> Void) {
    guard failure == nil else { return }
    do { try row() } catch { failure = error }
  }

  package func willSave() throws { try reporter.synchronize() }

  /// Fails where the console has not taken everything.
  package func checkConsole() throws { try reporter.checkConsole() }

  package func note(_ message: String) { reporter.logger.warning("\(message)") }

  /// Ends the progress line, where there is one, for what is said next.
  package func finish() { reporter.finish() }

  /// Says how the run ended.
  ///
  /// - Parameter signal: The name of the signal that stopped it, if this rank got one.
  package func conclude(_ ending: Ending, signal: String?) {
    finish()
    let progress = trainer.progress
    guard ending == .finished else {
      let outcome =
        progress.step > 0
        ? "after step \(progress.step), with a checkpoint; the same command continues"
          + (progress.validationPending ? ", with the validation of this step" : "")
        : "before the first step; the same command begins"
      reporter.logger.info("\(signal ?? "a signal on another rank"): stopped \(outcome)")
      return
    }
    guard progress.step > resumedStep else { return }
    let best =
      progress.bestLoss.isFinite
      ? "; best validation loss \(Wording.decimal(progress.bestLoss, places: 4)) at step \(progress.bestStep)"
      : ""
    reporter.logger.info("finished at step \(progress.step)\(progress.stoppedEarly ? ", early" : "")\(best)")
  }
}
