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
  /// Whether validations also measure the model where it reads what it draws itself.
  package var freeRunning = false

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
    Setting(
      "free_running", \.freeRunning, mayChange: true,
      "Validate a second time, the model reading what it draws itself: free_running_loss, exposure_bias"),
  ]
}

extension Configuration {
  /// Checks the model's settings and `evaluation.measure` against the data.
  ///
  /// - Throws: `ConfigurationError`.
  package func check(_ tracks: TrackSet, _ description: TargetDescription) throws {
    try model.check(tracks)
    try checkTimeBlocks(arePairs: tracks.source != nil)
    let runsFree = InputSampler.applies(to: model, tracks: tracks, description)
    let drawing = [
      ("training.sampling.decay \(training.sampling.decay)", training.sampling.decay != .none, "none"),
      (
        "model.discriminator.hidden \(model.discriminator.hidden)", model.discriminator.hidden > 0,
        "0, for no professor forcing"
      ),
      ("evaluation.free_running true", evaluation.freeRunning, "false"),
    ].first { $0.1 }
    if let (setting, _, other) = drawing, !runsFree {
      throw ConfigurationError(
        "\(setting) is for models that read the tokens they say, of texts or of pairs, in one direction; set \(other)"
      )
    }
    let measures = MeasureSet(
      model, tracks: tracks, description, runsFree: evaluation.freeRunning && evaluation.every > 0
    ).measures
    guard measures.contains(evaluation.measure) else {
      let other =
        switch evaluation.measure {
        case .freeRunningLoss where runsFree, .exposureBias where runsFree:
          "; evaluation.free_running true measures it too"
        case .bleu, .chrf, .exactMatch, .editRate, .alignmentMass, .coverage:
          "; seqtrain eval --decode measures it after training"
        default: ""
        }
      throw ConfigurationError(
        "evaluation.measure \(evaluation.measure.rawValue) is not measured of these targets; expected "
          + measures.map(\.rawValue).joined(separator: ", ") + other)
    }
  }
}
