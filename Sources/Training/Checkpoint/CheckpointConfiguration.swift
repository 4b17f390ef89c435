import Settings

/// What is kept to resume from.
package struct CheckpointConfiguration: Sendable, Equatable {
  /// The steps between two checkpoints; 0 for one at the end or at a stop only.
  package var every = 200
  /// How many of the newest checkpoints are kept, besides the best.
  package var keep = 2

  /// The defaults.
  package init() {}
}

extension CheckpointConfiguration {
  /// Its settings.
  package static let settings: [Setting<CheckpointConfiguration>] = [
    Setting(
      "every", \.every, .within(0, TrainingConfiguration.mostSteps), mayChange: true,
      "Steps between two checkpoints; 0: only at the end or when stopped",
      synonyms: "saveevery savesteps saveinterval checkpointinterval checkpointevery"),
    Setting(
      "keep", \.keep, .within(1, TrainingConfiguration.mostSteps), mayChange: true,
      "Newest checkpoints that are kept, besides the best",
      synonyms: "savetotallimit keeplast maxtokeep keepcheckpoints"),
  ]
}
