import Settings

/// How it is judged while it trains.
package struct EvaluationConfiguration: Sendable, Equatable {
  /// The steps between two validations; 0 for none.
  package var every = 100
  /// The validations without improvement after which the run is finished; 0 for never.
  package var patience = 0

  /// The defaults.
  package init() {}
}

extension EvaluationConfiguration {
  /// Its settings.
  package static let settings: [Setting<EvaluationConfiguration>] = [
    Setting(
      "every", \.every, .within(0, TrainingConfiguration.mostSteps), mayChange: true,
      "Steps between two validations; 0: none",
      synonyms: "evalevery evalsteps evalinterval valinterval valevery validateevery"),
    Setting(
      "patience", \.patience, .within(0, TrainingConfiguration.mostSteps), mayChange: true,
      "Validations without improvement after which the run is finished; 0: never",
      synonyms: "earlystopping earlystop earlystoppingpatience"),
  ]
}
