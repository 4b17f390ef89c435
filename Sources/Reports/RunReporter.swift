import Evaluation
import FileSystem
import Logging
import Sequences
import Settings
import Training

/// Reports how a run goes, on rank 0: rows to `metrics.jsonl`, words to `run.log`, and both to the console.
package final class RunReporter: TrainingObserver {
  /// For messages in words, to `run.log` and the console.
  package let logger: Logger
  /// Why a row could not be written, if one couldn't: the job must stop. The other ranks don't know yet.
  package private(set) var failure: (any Error)?
  private let run: RunDirectory
  private let metrics: MetricsFile
  private let log: RunLogFile
  private let console: Console
  private let totalSteps: Int
  /// What decides which validation is the best.
  private let measure: Measure
  private let firstStep: Int
  private let start = ContinuousClock.now
  /// When the last row was written, and the sum of the targets' weights since then.
  private var last = ContinuousClock.now
  private var targets = 0.0

  /// Opens the files of a run.
  ///
  /// - Parameters:
  ///   - run: The directory, opened by this job.
  ///   - progress: What training resumes from; rows of later steps are dropped.
  ///   - totalSteps: The step after which the run is finished.
  ///   - measure: What decides which validation is the best.
  /// - Throws: `FileError` if a file can't be written.
  package init(
    run: RunDirectory, resumedFrom progress: TrainingProgress, totalSteps: Int, measure: Measure = .loss,
    console: Console = Console()
  ) throws {
    metrics = try MetricsFile(path: run.metricsPath, resumedFrom: progress)
    let log = try RunLogFile(path: run.logPath)
    self.run = run
    self.log = log
    self.console = console
    self.totalSteps = totalSteps
    self.measure = measure
    firstStep = progress.step
    logger = Logger(label: "seqtrain") { _ in RunLogHandler(file: log, console: console) }
    if let damage = metrics.damage { logger.warning("\(damage)") }
  }

  /// Logs the run's model, layout, demands and progress.
  package func introduce(
    _ trainer: Trainer, changes: [SettingChange], notes: [String], memory: MemoryDemand,
    checkpoints: CheckpointRoom?
  ) {
    let training = trainer.configuration.training
    let model = trainer.configuration.model
    for note in notes + machineNotes(for: training.precision) { logger.warning("\(note)") }
    for change in changes { logger.info("\(change)") }
    logger.info(
      """
      \(run.path): \(model.cell) \(model.layers) x \(model.hidden), \
      \(Wording.counted(trainer.parameterCount, "parameter")), on \(trainer.dataset.path)
      """)
    logger.info(
      """
      \(trainer.shards.ranksInWords), \(Wording.counted(training.shards, "shard")), \
      \(Wording.counted(training.lanes, "lane")), chunks of \(trainer.schedule.mode == .whole ? "up to " : "")\
      \(trainer.schedule.chunk)\(training.timeBlocks > 1 ? " in \(training.timeBlocks) blocks" : ""), \
      \(trainer.schedule.mode) mode, \
      \(Wording.counted(totalSteps, "step"))
      """)
    if let note = trainer.shards.exchangeNote(of: training.timeBlocks > 1 ? "blocks" : "shards") {
      logger.info("\(note)")
    }
    let shared = memory.shared > 0 ? ", \(Wording.bytes(memory.shared)) shared a host" : ""
    let disk = checkpoints.map { "; checkpoints: \($0.count) x \(Wording.bytes($0.bytes))" } ?? ""
    logger.info("memory: \(Wording.bytes(memory.rank)) a rank\(shared)\(disk)")
    if trainer.isFinished {
      let remedy =
        trainer.progress.stoppedEarly
        ? "evaluation.patience higher, or 0" : "training.steps or training.epochs higher"
      logger.info("the run is finished at step \(firstStep); to extend it, set \(remedy)")
    } else if firstStep > 0 {
      logger.info("resumed at step \(firstStep)")
    }
  }

  /// Writes a row where the step has one.
  package func didStep(
    _ progress: TrainingProgress, _ outcome: StepOutcome, learningRate: Double, waits: RankWaits?
  ) {
    targets += outcome.targets
    guard let waits else { return }
    let now = ContinuousClock.now
    let seconds = (now - last) / .seconds(1)
    let row = TrainingRow(
      step: progress.step, epoch: progress.epoch, loss: progress.meanLossSinceRow,
      adversarial: outcome.adversarial, norm: outcome.norm,
      clipped: outcome.clipped, learningRate: learningRate,
      tokensPerSecond: targets / seconds, slowestRank: waits.slowestRank, waitShare: waits.seconds / seconds)
    stopIfFails { try report(row) }
    (last, targets) = (now, 0)
  }

  /// Reports a validation.
  package func didValidate(_ progress: TrainingProgress, _ metrics: Metrics) {
    let row = ValidationRow(
      step: progress.step, epoch: progress.epoch, loss: metrics.loss,
      measured: metrics.values.filter { value in
        value.measure == .freeRunningLoss || (value.measure == measure && measure != .loss)
      },
      best: progress.bestStep == progress.step)
    stopIfFails { try report(row) }
    // The rate of training doesn't count validation.
    (last, targets) = (ContinuousClock.now, 0)
  }

  /// Writes no more rows after a failure, which may have left a partial one.
  private func stopIfFails(_ report: () throws -> Void) {
    guard failure == nil else { return }
    do { try report() } catch { failure = error }
  }

  /// Writes a row of a logging step.
  ///
  /// - Throws: `FileError` if the row can't be written.
  package func report(_ row: TrainingRow) throws {
    try metrics.append(row.members)
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    let secondsLeft = elapsed / Double(max(1, row.step - firstStep)) * Double(totalSteps - row.step)
    let text = row.line(totalSteps: totalSteps, secondsLeft: secondsLeft)
    log.line(text)
    if console.columns != nil { console.progress(text) } else { console.line(text) }
  }

  /// Writes a row of a validation.
  ///
  /// - Throws: `FileError` if the row can't be written.
  package func report(_ row: ValidationRow) throws {
    try metrics.append(row.members)
    logger.info("\(row.line(totalSteps: totalSteps))")
  }

  /// Waits until the metrics are on the disk; from any thread.
  ///
  /// - Throws: `FileError` if they can't be written.
  package func willSave(step: Int) throws { try metrics.synchronize() }

  /// Logs a warning.
  package func note(_ message: String) { logger.warning("\(message)") }

  /// Fails if the console failed.
  ///
  /// - Throws: `FileError`; not if the reader has gone.
  package func checkConsole() throws { try console.check() }

  /// Ends the progress line, if there is one.
  package func finish() { console.finishProgress() }

  /// Logs how the run ended.
  ///
  /// - Parameter signal: The name of the signal that stopped it, if this rank got one.
  package func conclude(_ ending: Ending, _ progress: TrainingProgress, signal: String?) {
    finish()
    guard ending == .finished else {
      let outcome =
        progress.step > 0
        ? "after step \(progress.step), with a checkpoint; the same command continues"
          + (progress.validationPending ? ", with the validation of this step" : "")
        : "before the first step; the same command begins"
      logger.info("\(signal ?? "a signal on another rank"): stopped \(outcome)")
      return
    }
    guard progress.step > firstStep else { return }
    let best =
      progress.bestValidation.isFinite
      ? "; best validation \(measure.title) \(Wording.decimal(progress.bestValidation, places: 4)) at step \(progress.bestStep)"
      : ""
    logger.info("finished at step \(progress.step)\(progress.stoppedEarly ? ", early" : "")\(best)")
  }
}
