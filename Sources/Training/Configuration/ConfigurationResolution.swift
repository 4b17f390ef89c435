import Settings

extension Configuration {
  /// The configuration with everything decided that was left open: `shards`, how long the run is, and how streams are
  /// played where the model allows one way only.
  ///
  /// - Parameters:
  ///   - ranks: The number of ranks of this launch.
  ///   - previous: The run's own configuration, where it goes on from a checkpoint.
  /// - Throws: `ConfigurationError` where settings contradict each other, the ranks, or the run that has begun.
  package func resolved(ranks: Int, previous: Configuration? = nil) throws -> Configuration {
    var resolved = self
    if training.shards == 0 {
      let blocks = training.timeBlocks
      resolved.training.shards = previous?.training.shards ?? (ranks + blocks - 1) / blocks
    }
    if training.steps == 0 && training.epochs == 0 {
      resolved.training.steps = previous?.training.steps ?? TrainingConfiguration.defaultSteps
      resolved.training.epochs = previous?.training.epochs ?? 0
    }
    if model.bidirectional && data.mode == .auto { resolved.data.mode = .whole }
    if let previous { try resolved.checkResumption(of: previous) }
    try resolved.check(ranks: ranks, hasBegun: previous != nil)
    return resolved
  }

  /// Checks settings against each other and the number of ranks.
  private func check(ranks: Int, hasBegun: Bool) throws {
    try training.check(ranks: ranks, hasBegun: hasBegun)
    try model.check()
    try checkTimeBlocks()
    guard data.mode != .whole || training.lanes * data.longest <= Int32.max else {
      throw ConfigurationError(
        "training.lanes \(training.lanes) times data.longest \(data.longest) are more than \(Int32.max) positions of a "
          + "chunk; set one of them lower")
    }
    guard !model.bidirectional || data.mode == .whole else {
      throw ConfigurationError(
        "model.bidirectional reads streams from both ends and needs data.mode whole or auto, found \(data.mode)"
      )
    }
    guard evaluation.every > 0 || (training.schedule.name != .plateau && evaluation.patience == 0) else {
      throw ConfigurationError(
        "evaluation.every 0: training.schedule.name plateau and evaluation.patience need validations")
    }
  }

  private func checkResumption(of previous: Configuration) throws {
    let refused = changes(since: previous).filter { !$0.mayChange }
    guard refused.isEmpty else {
      throw ConfigurationError(
        "the run has begun with other settings: "
          + refused.map(\.description).joined(separator: "; ")
          + "; set them back, or choose another directory with --run")
    }
  }
}
