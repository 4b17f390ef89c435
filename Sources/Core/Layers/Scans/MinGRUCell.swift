import Chunks
import Settings

/// The settings of `mingru` layers.
package struct MinGRUOptions: LayerOptions {
  /// What units may take in.
  package var candidate = Candidate.linear

  package init() {}

  package static let settings: [Setting<MinGRUOptions>] = [
    Setting(
      "candidate", \.candidate,
      "What units of a mingru layer take in: any number, or a positive function of it")
  ]
}

/// minGRU (Feng et al. 2024, section 3.1 and appendix B):
///
///     z, c = x weight^T + bias     h = (1 - sigmoid(z)) h_prev + sigmoid(z) candidate(c)
enum MinGRUCell: MinimalCell {
  typealias Options = MinGRUOptions
  static let name = "mingru"
  static let gateCount = 1

  static func candidate(_ configuration: ModelConfiguration) -> Candidate {
    configuration[MinGRUOptions.self].candidate
  }

  static func bias(_ configuration: ModelConfiguration, bound: Double) -> Initializer {
    .uniform(bound: bound)
  }
}
