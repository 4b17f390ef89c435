import Settings

/// The shape of the learning rate over the steps.
package enum ScheduleName: String, Sendable, CaseIterable {
  /// The same after the warm-up.
  case constant
  /// Half a cosine down to `final` (Loshchilov & Hutter 2017).
  case cosine
  /// A straight line down to `final`.
  case linear
  /// Falling with the inverse square root of the step after the warm-up (Vaswani et al. 2017).
  case inverseSquareRoot = "inverse_sqrt"
  /// Multiplied by `factor` whenever the validation loss has not improved for `patience` validations.
  case plateau
}

extension ScheduleName: SettingValue {}

/// How the learning rate moves.
package struct ScheduleConfiguration: Sendable, Equatable {
  /// The shape.
  package var name = ScheduleName.constant
  /// The steps over which the rate rises from zero.
  package var warmup = 0
  /// What is left of the rate at the end of `cosine` and `linear`, as a fraction.
  package var final = 0.0
  /// What `plateau` multiplies the rate by.
  package var factor = 0.5
  /// The validations without improvement that `plateau` waits for.
  package var patience = 2

  /// The defaults.
  package init() {}
}

extension ScheduleConfiguration {
  /// Its settings.
  package static let settings: [Setting<ScheduleConfiguration>] = [
    Setting(
      "name", \.name, mayChange: true,
      "How the learning rate moves after the warm-up",
      synonyms: "lrschedule lrscheduler scheduler lrschedulertype"),
    Setting(
      "warmup", \.warmup, .within(0, TrainingConfiguration.mostSteps), mayChange: true,
      "Steps over which the learning rate rises from zero", synonyms: "warmupsteps numwarmupsteps lrwarmup"),
    Setting(
      "final", \.final, .within(0, 1), mayChange: true,
      "Fraction of the learning rate left at the last step (cosine, linear)", synonyms: "minlr finallr endlr"),
    Setting(
      "factor", \.factor, .above(0, to: 1), mayChange: true,
      "What the learning rate is multiplied by when validation stops improving (plateau)"),
    Setting(
      "patience", \.patience, .within(1, TrainingConfiguration.mostSteps), mayChange: true,
      "Validations without improvement before that (plateau)"),
  ]
}
