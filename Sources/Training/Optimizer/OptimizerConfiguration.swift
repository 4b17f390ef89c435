import Core
import Glibc
import Settings

/// The rule that turns gradients into updates.
package enum OptimizerName: String, Sendable, CaseIterable {
  case sgd, adam, adamw
}

extension OptimizerName: SettingValue {}

/// How weights are updated.
package struct OptimizerConfiguration: Sendable, Equatable {
  /// The rule.
  package var name = OptimizerName.adam
  /// The learning rate before the schedule's factor.
  package var learningRate = 0.002
  /// The momentum of `sgd`.
  package var momentum = 0.0
  /// Whether `sgd` looks ahead along its momentum (Nesterov 1983).
  package var nesterov = false
  /// The decay of the mean of gradients in `adam` and `adamw`.
  package var beta1 = 0.9
  /// The decay of the mean of squared gradients in `adam` and `adamw`.
  package var beta2 = 0.999
  /// What `adam` and `adamw` add to the root of the mean of squares.
  package var epsilon = 1e-8
  /// The decoupled decay of weights a step, times the learning rate, in `sgd` and `adamw`.
  package var weightDecay = 0.0
  /// The parameters that do not decay: shell patterns over their names.
  package var noDecay = ["*bias*", "norm.*"]

  /// The defaults.
  package init() {}
}

extension OptimizerConfiguration {
  /// Its settings.
  package static let settings: [Setting<OptimizerConfiguration>] = [
    Setting("name", \.name, "Rule of the update", synonyms: "optim optimizer"),
    Setting(
      "learning_rate", \.learningRate, .above(0, to: 1000),
      mayChange: true, "Learning rate before the schedule's factor",
      synonyms: "lr baselr maxlr peaklr learningrate"),
    Setting("momentum", \.momentum, .belowOne, "Momentum of sgd"),
    Setting("nesterov", \.nesterov, "Whether sgd looks ahead along its momentum"),
    Setting("beta1", \.beta1, .belowOne, "Decay of the mean of gradients (adam, adamw)"),
    Setting("beta2", \.beta2, .belowOne, "Decay of the mean of squared gradients (adam, adamw)"),
    // The kernels divide by numbers from 2^-126 up.
    Setting(
      "epsilon", \.epsilon, .within(1e-30, 1),
      "Added to the root of the mean of squares (adam, adamw)", synonyms: "eps"),
    Setting(
      "weight_decay", \.weightDecay, .within(0, 1000),
      "Decoupled decay of weights a step, times the learning rate (sgd, adamw)", synonyms: "wd l2 decay"),
    Setting("no_decay", \.noDecay, "Parameters that do not decay: patterns over their names, with * and ?"),
  ]
}

extension OptimizerConfiguration {
  /// Checks its settings against each other.
  ///
  /// - Throws: `ConfigurationError`.
  func check() throws {
    guard !nesterov || (name == .sgd && momentum > 0) else {
      throw ConfigurationError(
        "training.optimizer.nesterov needs training.optimizer.name sgd and a momentum above 0")
    }
    guard weightDecay == 0 || name != .adam else {
      throw ConfigurationError(
        "training.optimizer.weight_decay \(weightDecay) needs training.optimizer.name adamw or sgd, "
          + "found adam")
    }
  }

  /// Whether weight decay applies to the parameter of that name: no pattern of `noDecay` matches it.
  package func decays(_ parameter: String) -> Bool {
    weightDecay > 0 && !noDecay.contains { fnmatch($0, parameter, 0) == 0 }
  }

  /// The optimiser over a rank's part of the parameters.
  func makeOptimizer(_ ranges: [UpdateRange]) -> any Optimizer {
    switch name {
    case .sgd: SGD(ranges, momentum: momentum, nesterov: nesterov, weightDecay: weightDecay)
    case .adam, .adamw:
      Adam(ranges, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    }
  }
}
