import Settings

/// A number that says how well a model predicts; its raw value is its name in settings, files and JSON.
package enum Measure: String, Sendable, CaseIterable, SettingValue {
  /// The mean of what the model is trained for.
  case loss
  /// e to the power of the loss: the size of a uniform choice of the same uncertainty.
  case perplexity
  /// The loss in bits.
  case bitsPerTarget = "bits_per_target"
  /// The share of targets, or of binary units, that the model held to be the most probable.
  case accuracy
  /// The mean over labels of the share of predictions of a label that were right.
  case precisionMacro = "precision_macro"
  /// The mean over labels of the share of targets of a label that were predicted.
  case recallMacro = "recall_macro"
  /// The mean over labels of the harmonic mean of a label's precision and recall.
  case f1Macro = "f1_macro"
  /// The same of whole entities, of labels that begin with B- and I-, all types together.
  case precisionEntities = "precision_entities"
  case recallEntities = "recall_entities"
  case f1Entities = "f1_entities"
  /// The mean squared error over units, in the square of the data's units.
  case mse
  /// The mean absolute error over units, in the data's units.
  case mae
  /// The coefficient of determination, 1 - (squared error) / (variation around the mean): the mean over units.
  case r2
  /// The squared error of all units, relative to that of predicting each unit's mean, in the data's units.
  case rse
  /// The correlation of predictions and targets: the mean over units.
  case corr
  /// The negative log likelihood of a position, in nats, as a density in the data's units.
  case nll
  /// The loss where the model reads what it draws itself, not the true tokens.
  case freeRunningLoss = "free_running_loss"
  /// How much that is above the loss.
  case exposureBias = "exposure_bias"
  /// How far texts that the model says are from their targets: BLEU and chrF in percent, as sacreBLEU counts them.
  case bleu, chrf
  /// The share of texts that are their targets.
  case exactMatch = "exact_match"
  /// The tokens to insert, delete or replace for each token of the targets.
  case editRate = "edit_rate"
  /// The share of attention on the position of the source that the data state for a token.
  case alignmentMass = "alignment_mass"
  /// The share of the positions of sources that are attended to while their targets are said.
  case coverage

  /// How values are written for people.
  package enum Form: Sendable {
    case nats, number, share
  }

  /// Its name for people.
  package var title: String {
    switch self {
    case .loss, .perplexity, .accuracy: rawValue
    case .bitsPerTarget: "bits a target"
    case .precisionMacro: "precision, mean over labels"
    case .recallMacro: "recall, mean over labels"
    case .f1Macro: "F1, mean over labels"
    case .precisionEntities: "precision of entities"
    case .recallEntities: "recall of entities"
    case .f1Entities: "F1 of entities"
    case .mse: "mean squared error"
    case .mae: "mean absolute error"
    case .r2: "R2"
    case .rse: "relative squared error"
    case .corr: "correlation"
    case .nll: "negative log likelihood"
    case .freeRunningLoss: "loss, running free"
    case .exposureBias: "exposure bias"
    case .bleu: "BLEU"
    case .chrf: "chrF2"
    case .exactMatch: "exact match"
    case .editRate: "edits a token"
    case .alignmentMass: "attention as stated"
    case .coverage: "source covered"
    }
  }

  package var form: Form {
    switch self {
    case .nll, .freeRunningLoss, .exposureBias: .nats
    case .accuracy, .precisionMacro, .recallMacro, .f1Macro, .precisionEntities, .recallEntities, .f1Entities,
      .exactMatch, .alignmentMass, .coverage:
      .share
    case .loss, .perplexity, .bitsPerTarget, .mse, .mae, .r2, .rse, .corr, .bleu, .chrf, .editRate: .number
    }
  }

  /// Whether higher values are better.
  package var isBetterHigher: Bool {
    switch self {
    case .loss, .perplexity, .bitsPerTarget, .mse, .mae, .rse, .nll, .freeRunningLoss, .exposureBias,
      .editRate:
      false
    case .accuracy, .precisionMacro, .recallMacro, .f1Macro, .precisionEntities, .recallEntities, .f1Entities,
      .r2, .corr, .bleu, .chrf, .exactMatch, .alignmentMass, .coverage:
      true
    }
  }

  /// Whether a value is better than the best so far, which is not finite before the first.
  package func isBetter(_ value: Double, than best: Double) -> Bool {
    guard value.isFinite else { return false }
    return !best.isFinite || (isBetterHigher ? value > best : value < best)
  }
}
