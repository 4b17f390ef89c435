import Glibc

/// How well a model predicts the targets of a split.
public struct Metrics: Sendable, Equatable {
  /// The sum of losses, in nats, each multiplied by its target's weight.
  public let lossSum: Double
  /// The number of targets that were predicted: the model's most probable token was the target.
  public let correct: Int
  /// The number of targets.
  public let targets: Int

  /// The mean loss, in nats a target.
  public var loss: Double { lossSum / Double(targets) }
  /// e to the power of the loss: the size of a uniform choice of the same uncertainty.
  public var perplexity: Double { exp(loss) }
  /// The loss in bits a target.
  public var bitsPerTarget: Double { loss / log(2) }
  /// The fraction of targets that were predicted.
  public var accuracy: Double { Double(correct) / Double(targets) }
}
