import Evaluation
import HDF5
import MPI

/// How far a run has come, apart from its arrays: what decides how it goes on.
package struct TrainingProgress: Sendable, Equatable {
  /// Updates made.
  package var step = 0
  /// The epoch of the next chunk, from 0.
  package var epoch = 0
  /// The number of the next chunk in its epoch.
  package var chunk = 0
  /// Chunks trained on since the run began: the key of dropout masks.
  package var chunks = 0
  /// The best validation so far, by `evaluation.measure`; infinite before the first.
  package var bestValidation = Double.infinity
  /// The step of that validation.
  package var bestStep = 0
  /// The best of the validations that were due, by which early stopping and the plateau schedule go: the end of a
  /// run that is extended later has one besides.
  package var bestDueValidation = Double.infinity
  /// Validations due since then.
  package var validationsSinceBest = 0
  /// What the plateau schedule has multiplied the learning rate by.
  package var learningRateFactor = 1.0
  /// Validations due since then, or since one was last better.
  package var validationsOnPlateau = 0
  /// Whether early stopping has ended the run.
  package var stoppedEarly = false
  /// Whether the validation after this step has yet to be made: a stop has broken it off.
  package var validationPending = false
  /// The sum of the losses of all targets since the last row of metrics, in nats.
  package var lossSinceRow = 0.0
  /// The sum of their weights.
  package var targetsSinceRow = 0.0

  /// The beginning.
  package init() {}

  private static let integers: [(name: String, field: WritableKeyPath<TrainingProgress, Int> & Sendable)] = [
    ("step", \.step), ("epoch", \.epoch), ("chunk", \.chunk), ("chunks", \.chunks), ("best_step", \.bestStep),
    ("validations_since_best", \.validationsSinceBest), ("validations_on_plateau", \.validationsOnPlateau),
  ]
  private static let numbers: [(name: String, field: WritableKeyPath<TrainingProgress, Double> & Sendable)] =
    [
      ("best_loss", \.bestValidation), ("learning_rate_factor", \.learningRateFactor),
      ("lowest_due_loss", \.bestDueValidation), ("loss_since_row", \.lossSinceRow),
      ("targets_since_row", \.targetsSinceRow),
    ]
  private static let flags: [(name: String, field: WritableKeyPath<TrainingProgress, Bool> & Sendable)] = [
    ("stopped_early", \.stoppedEarly), ("validation_pending", \.validationPending),
  ]
  /// What may be below zero: losses of densities, and measures.
  private static let signed: Set = ["best_loss", "lowest_due_loss", "loss_since_row"]
  /// What the first checkpoints did not say.
  private static let later: Set = [
    "lowest_due_loss", "loss_since_row", "targets_since_row", "validation_pending",
  ]

  /// Reads what `write` has written to the file `path`.
  ///
  /// - Throws: `HDF5Error` or `TrainingError` where something is missing or cannot be.
  package init(_ attributes: Attributes, path: String) throws {
    // Far above what a run can reach, and far below what overflows.
    let limit = 1 << 53
    for (name, field) in Self.integers {
      let value = try attributes.integer(name)
      guard (0...limit).contains(value) else {
        throw TrainingError("\(path): the attribute \(name) is \(value), expected a count up to \(limit)")
      }
      self[keyPath: field] = value
    }
    func isThere(_ name: String) throws -> Bool {
      try !Self.later.contains(name) || attributes.contains(name)
    }
    for (name, field) in Self.numbers where try isThere(name) {
      let value = try attributes.number(name)
      guard value >= (Self.signed.contains(name) ? -.infinity : 0) else {
        throw TrainingError("\(path): the attribute \(name) is \(value), expected 0 or more")
      }
      self[keyPath: field] = value
    }
    // It was not told from the best.
    if try !isThere("lowest_due_loss") { bestDueValidation = bestValidation }
    for (name, field) in Self.flags where try isThere(name) {
      self[keyPath: field] = try attributes.flag(name)
    }
  }

  package func write(to attributes: Attributes) throws {
    for (name, field) in Self.integers { try attributes.set(name, self[keyPath: field]) }
    for (name, field) in Self.numbers { try attributes.set(name, self[keyPath: field]) }
    for (name, field) in Self.flags { try attributes.set(name, self[keyPath: field]) }
  }
}

extension Communicator {
  /// The progress that rank 0 gives. Collective.
  func broadcast(_ progress: TrainingProgress) throws -> TrainingProgress {
    // All of its fields are plain values.
    var progress = progress
    try withUnsafeMutableBytes(of: &progress) { try broadcast($0.bindMemory(to: UInt8.self)) }
    return progress
  }
}

extension TrainingProgress {
  /// The mean loss since the last row of metrics, in nats a target; 0 where there was none.
  package var meanLossSinceRow: Double { targetsSinceRow > 0 ? lossSinceRow / targetsSinceRow : 0 }

  /// Records a validation: the best so far, and where it was due, the plateau schedule's factor and early stopping.
  package mutating func note(
    validation value: Double, by measure: Measure, isDue: Bool, schedule: ScheduleConfiguration, patience: Int
  ) {
    if measure.isBetter(value, than: bestValidation) { (bestValidation, bestStep) = (value, step) }
    guard isDue else { return }
    if measure.isBetter(value, than: bestDueValidation) {
      bestDueValidation = value
      (validationsSinceBest, validationsOnPlateau) = (0, 0)
      return
    }
    validationsSinceBest += 1
    validationsOnPlateau += 1
    if schedule.name == .plateau, validationsOnPlateau > schedule.patience {
      learningRateFactor *= schedule.factor
      validationsOnPlateau = 0
    }
    stoppedEarly = hasLostPatience(patience)
  }

  /// Whether it would after one more.
  func wouldLosePatience(_ patience: Int) -> Bool { patience > 0 && validationsSinceBest + 1 >= patience }

  /// Whether early stopping ends a run that waits for so many validations without improvement; 0 for never.
  func hasLostPatience(_ patience: Int) -> Bool { patience > 0 && validationsSinceBest >= patience }
}
