import Glibc

/// How well a model predicts the targets of a split.
package struct Metrics: Sendable, Equatable {
  /// The sum of losses, in nats, each multiplied by its target's weight.
  package let lossSum: Double
  /// The number of targets that were predicted: the model's most probable token was the target.
  package let correct: Int
  /// The number of targets.
  package let targets: Int

  /// Out of the sums over all targets, by name.
  init(_ sums: [String: Double]) {
    self.init(
      lossSum: sums["loss"] ?? 0, correct: Int(sums["correct"] ?? 0), targets: Int(sums["weight"] ?? 0))
  }

  package init(lossSum: Double, correct: Int, targets: Int) {
    self.lossSum = lossSum
    self.correct = correct
    self.targets = targets
  }

  /// The mean loss, in nats a target.
  package var loss: Double { lossSum / Double(targets) }
  /// e to the power of the loss: the size of a uniform choice of the same uncertainty.
  package var perplexity: Double { exp(loss) }
  /// The loss in bits a target.
  package var bitsPerTarget: Double { loss / log(2) }
  /// The fraction of targets that were predicted.
  package var accuracy: Double { Double(correct) / Double(targets) }
}
