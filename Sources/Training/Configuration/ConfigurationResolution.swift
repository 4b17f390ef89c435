import Chunks
import Core
import FileSystem

#if canImport(Glibc)
  import Glibc
#endif

extension Configuration {
  /// The configuration with everything decided that was left open: `shards`, and how long the run is.
  ///
  /// - Parameters:
  ///   - ranks: The number of ranks of this launch.
  ///   - previous: The run's own configuration, where it goes on from a checkpoint.
  /// - Throws: `ConfigurationError` where settings contradict each other, the ranks, or the run that has begun.
  package func resolved(ranks: Int, previous: Configuration? = nil) throws -> Configuration {
    var resolved = self
    if training.shards == 0 { resolved.training.shards = previous?.training.shards ?? ranks }
    if training.steps == 0 && training.epochs == 0 {
      resolved.training.steps = previous?.training.steps ?? TrainingConfiguration.defaultSteps
      resolved.training.epochs = previous?.training.epochs ?? 0
    }
    if let previous { try resolved.checkResumption(of: previous) }
    try resolved.check(ranks: ranks, hasBegun: previous != nil)
    return resolved
  }

  /// Checks settings against each other and the number of ranks.
  private func check(ranks: Int, hasBegun: Bool) throws {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
      if !condition { throw ConfigurationError(message()) }
    }
    let (lanes, shards) = (training.lanes, training.shards)
    try require(
      lanes % shards == 0,
      "training.lanes \(lanes) can't be divided evenly into training.shards \(shards); "
        + "set training.lanes to a multiple, such as \((lanes / shards + 1) * shards)")
    // Positions of a chunk are numbered in 32 bits.
    try require(
      lanes * training.chunk <= Int32.max,
      "training.lanes \(lanes) times training.chunk \(training.chunk) are more than \(Int32.max) positions of a chunk; "
        + "set one of them lower")
    try require(
      ranks <= shards,
      "\(ranks) ranks for training.shards \(shards): each rank needs a shard; start at most "
        + "\(Wording.counted(shards, "rank"))\(hasBegun ? "" : ", or set training.shards higher")")
    try require(
      !model.tied || model.embedding == model.hidden,
      "model.tied needs model.embedding \(model.embedding) and model.hidden \(model.hidden) to be equal")
    // Far above any machine, and far enough below 2^63 for every product of sizes.
    try require(
      Blueprint(model, tracks: .language(vocabulary: 1)).layout.parameterCount <= 1 << 40,
      "model.hidden \(model.hidden) and model.layers \(model.layers) make a model of more than \(1 << 40) weights; set "
        + "one of them lower")
    try require(
      model.activation == .tanh || model.cell == .rnn,
      "model.activation \(model.activation) is for model.cell rnn, found \(model.cell)")
    let optimizer = training.optimizer
    try require(
      !optimizer.nesterov || (optimizer.name == .sgd && optimizer.momentum > 0),
      "training.optimizer.nesterov needs training.optimizer.name sgd and a momentum above 0")
    try require(
      optimizer.weightDecay == 0 || optimizer.name != .adam,
      "training.optimizer.weight_decay \(optimizer.weightDecay) needs training.optimizer.name adamw or sgd, "
        + "found adam")
    try require(
      evaluation.every > 0 || (training.schedule.name != .plateau && evaluation.patience == 0),
      "evaluation.every 0: training.schedule.name plateau and evaluation.patience need validations")
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

  /// The settings that differ from another configuration, in the table's order.
  package func changes(since previous: Configuration) -> [SettingChange] {
    Setting.all.compactMap { setting in
      let (before, now) = (setting.yaml(previous), setting.yaml(self))
      guard before != now else { return nil }
      return SettingChange(key: setting.key, before: before, now: now, mayChange: setting.mayChange)
    }
  }
}

/// A setting that differs between two configurations.
package struct SettingChange: Sendable, Equatable, CustomStringConvertible {
  /// The setting's name.
  package let key: String
  /// The value before, as YAML.
  package let before: String
  /// The value now, as YAML.
  package let now: String
  /// Whether a run that has begun may go on so.
  package let mayChange: Bool

  /// The name and both values.
  package var description: String { "\(key) was \(before), now \(now)" }
}

extension OptimizerConfiguration {
  /// Whether weight decay applies to the parameter of that name: no pattern of `noDecay` matches it.
  package func decays(_ parameter: String) -> Bool {
    weightDecay > 0 && !noDecay.contains { fnmatch($0, parameter, 0) == 0 }
  }
}
