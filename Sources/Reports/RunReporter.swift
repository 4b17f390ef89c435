import Logging
import Training

/// Says how a run goes, where it belongs: metrics, log, and a progress line or plain lines for who watches.
package final class RunReporter {
  /// For what is said in words: to `run.log` and the console.
  package let logger: Logger
  private let metrics: MetricsFile
  private let log: RunLogFile
  private let console: Console
  private let totalSteps: Int
  private let start = ContinuousClock.now
  private let firstStep: Int

  /// - Parameters:
  ///   - run: The directory, opened by this job.
  ///   - progress: What training goes on from; rows of later steps are dropped.
  ///   - totalSteps: The step after which the run is finished.
  /// - Throws: `FileError` where a file can't be written.
  package init(
    run: RunDirectory, resumedFrom progress: TrainingProgress, totalSteps: Int, console: Console = Console()
  ) throws {
    metrics = try MetricsFile(path: run.metricsPath, resumedFrom: progress)
    let log = try RunLogFile(path: run.logPath)
    self.log = log
    self.console = console
    self.totalSteps = totalSteps
    firstStep = progress.step
    logger = Logger(label: "seqtrain") { _ in RunLogHandler(file: log, console: console) }
    if let damage = metrics.damage { logger.warning("\(damage)") }
  }

  /// Reports a logging step.
  package func report(_ row: TrainingRow) throws {
    try metrics.append(row.members)
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    let secondsLeft = elapsed / Double(max(1, row.step - firstStep)) * Double(totalSteps - row.step)
    let text = row.line(totalSteps: totalSteps, secondsLeft: secondsLeft)
    log.line(text)
    if console.columns != nil { console.progress(text) } else { console.line(text) }
  }

  /// Reports a validation.
  package func report(_ row: ValidationRow) throws {
    try metrics.append(row.members)
    logger.info("\(row.line(totalSteps: totalSteps))")
  }

  /// Waits until the metrics have reached the disk.
  ///
  /// - Throws: `FileError` where they can't.
  package func synchronize() throws { try metrics.synchronize() }

  /// Fails where the console has not taken everything.
  ///
  /// - Throws: `FileError`; not where the one who watched has gone.
  package func checkConsole() throws { try console.check() }

  /// Ends the progress line, where there is one.
  package func finish() { console.finishProgress() }
}
