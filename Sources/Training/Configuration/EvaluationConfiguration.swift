import Chunks
import Core
import Evaluation
import Settings

/// How it is judged while it trains.
package struct EvaluationConfiguration: Sendable, Equatable {
  /// The steps between two validations; 0 for none.
  package var every = 100
  /// The validations without improvement after which the run is finished; 0 for never.
  package var patience = 0
  /// What decides which validation is the best.
  package var measure = Measure.loss

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
    Setting(
      "measure", \.measure,
      "By what validations are compared, for the best checkpoint, evaluation.patience and the schedule plateau; which "
        + "measures there are depends on the data and model.objective",
      synonyms: "metric monitor metricforbestmodel bestmetric"),
  ]
}

extension Configuration {
  /// Checks the model's settings and `evaluation.measure` against the data.
  ///
  /// - Throws: `ConfigurationError`.
  package func check(_ tracks: TrackSet, _ description: TargetDescription) throws {
    try model.check(tracks)
    let measures = MeasureSet(model, tracks: tracks, description).measures
    guard measures.contains(evaluation.measure) else {
      throw ConfigurationError(
        "evaluation.measure \(evaluation.measure.rawValue) is not measured of these targets; expected "
          + measures.map(\.rawValue).joined(separator: ", "))
    }
  }
}
