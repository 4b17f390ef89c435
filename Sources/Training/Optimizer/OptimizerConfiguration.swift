import Core
import Glibc
import Settings
import Yams

/// The rule that turns gradients into updates.
package enum OptimizerName: String, Sendable, CaseIterable {
  case sgd, adam, adamw
}

extension OptimizerName: SettingValue {}

/// How the parameters of some names are updated.
package struct ParameterGroup: Sendable, Equatable {
  /// A shell pattern over their names.
  package let pattern: String
  /// What the learning rate is multiplied by.
  package let rateFactor: Double
  /// Their weight decay; nil for that of the others.
  package let weightDecay: Double?
}

/// How one parameter is updated.
package struct UpdateGroup: Sendable, Equatable {
  /// What the learning rate is multiplied by.
  package let rateFactor: Double
  /// The decoupled decay a step, times the learning rate.
  package let weightDecay: Double

  package init(rateFactor: Double = 1, weightDecay: Double) {
    self.rateFactor = rateFactor
    self.weightDecay = weightDecay
  }
}

extension ParameterGroup: SettingElement {
  package static let plural = "texts \"PATTERN FACTOR\" or \"PATTERN FACTOR DECAY\", numbers from 0 to 1000"
  package static let expectation = "a text \"PATTERN FACTOR\" or \"PATTERN FACTOR DECAY\""

  package init?(setting node: Node) {
    let parts = node.scalar?.string.split(separator: " ") ?? []
    let numbers = parts.dropFirst().compactMap { Double($0) }
    guard (2...3).contains(parts.count), numbers.count == parts.count - 1,
      numbers.allSatisfy({ (0...1000).contains($0) })
    else { return nil }
    (pattern, rateFactor) = (String(parts[0]), numbers[0])
    weightDecay = numbers.count == 2 ? numbers[1] : nil
  }

  package var yaml: String {
    ([pattern, rateFactor.yaml] + (weightDecay.map { [$0.yaml] } ?? [])).joined(separator: " ").yaml
  }
}

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

  /// The groups of parameters that are updated otherwise than by these settings.
  package var groups: [ParameterGroup] = []

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
    Setting(
      "groups", \.groups,
      "Parameters with rates of their own: \"PATTERN FACTOR DECAY\", what multiplies the learning rate and, if given, their "
        + "weight_decay; the first that matches a name",
      synonyms: "paramgroups parametergroups lrmultipliers"),
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
    let decaying = groups.first { ($0.weightDecay ?? 0) > 0 }
    if let decaying, name == .adam {
      throw ConfigurationError(
        "training.optimizer.groups: weight decay of \(decaying.pattern) needs training.optimizer.name adamw or sgd, found adam"
      )
    }
  }

  /// Checks that each pattern of `groups` and `noDecay`, but for the default ones, matches some parameter of a model.
  ///
  /// - Throws: `ConfigurationError` with the names of the parameters, in which `*` stands for each number.
  package func checkPatterns(_ layout: ParameterLayout) throws {
    let patterns =
      groups.map { ("groups", $0.pattern) }
      + noDecay.filter { !Self().noDecay.contains($0) }.map { ("no_decay", $0) }
    for (setting, pattern) in patterns where !layout.parameters.contains(where: { $0.matches(pattern) }) {
      let names = Set(layout.parameters.map { $0.name.replacing(/[0-9]+/, with: "*") }).sorted()
      throw ConfigurationError(
        "training.optimizer.\(setting): \(pattern) matches no parameter of this model; expected a pattern over the names "
          + names.joined(separator: ", "))
    }
  }

  /// How a parameter is updated: as the first of `groups` that matches its name says, otherwise by its own rule. It decays
  /// unless a pattern of `noDecay` matches its name.
  package func group(of parameter: Parameter) -> UpdateGroup {
    let group = groups.first { parameter.matches($0.pattern) }
    let decays = (group != nil || parameter.rule.decays) && !noDecay.contains(where: parameter.matches)
    return UpdateGroup(
      rateFactor: group?.rateFactor ?? parameter.rule.rateFactor,
      weightDecay: group?.weightDecay ?? (decays ? weightDecay : 0))
  }

  /// The optimiser over a rank's part of the parameters.
  func makeOptimizer(_ ranges: [UpdateRange]) -> any Optimizer {
    switch name {
    case .sgd: SGD(ranges, momentum: momentum, nesterov: nesterov)
    case .adam, .adamw: Adam(ranges, beta1: beta1, beta2: beta2, epsilon: epsilon)
    }
  }
}

extension Parameter {
  /// Whether a shell pattern matches its name.
  fileprivate func matches(_ pattern: String) -> Bool { fnmatch(pattern, name, 0) == 0 }
}
