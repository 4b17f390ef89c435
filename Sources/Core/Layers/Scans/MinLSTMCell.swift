import Chunks
import Settings

/// The settings of `minlstm` layers.
package struct MinLSTMOptions: LayerOptions {
  /// What units may take in.
  package var candidate = Candidate.linear
  /// What is added to the biases of f before training.
  package var forgetBias = 0.0

  package init() {}

  package static let settings: [Setting<MinLSTMOptions>] = [
    Setting(
      "candidate", \.candidate,
      "What units of a minlstm layer take in: any number, or a positive function of it"),
    Setting(
      "forget_bias", \.forgetBias, .within(-1000, 1000),
      "Added, at the start, to the bias of the gate that keeps a minlstm layer's state"),
  ]
}

/// minLSTM (Feng et al. 2024, section 3.2 and appendix B), whose gates are normalised so that scales don't depend on time:
///
///     f, i, c = x weight^T + bias     s = sigmoid(i) / (sigmoid(f) + sigmoid(i))     h = (1 - s) h_prev + s candidate(c)
enum MinLSTMCell: MinimalCell {
  typealias Options = MinLSTMOptions
  static let name = "minlstm"
  static let gateCount = 2

  static func candidate(_ configuration: ModelConfiguration) -> Candidate {
    configuration[MinLSTMOptions.self].candidate
  }

  static func bias(_ configuration: ModelConfiguration, bound: Double) -> Initializer {
    .uniformPlus(
      configuration[MinLSTMOptions.self].forgetBias, in: 0..<configuration.hidden, bound: bound)
  }
}
