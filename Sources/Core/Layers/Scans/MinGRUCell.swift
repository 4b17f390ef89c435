import CKernels
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
  static let sumCount = 2

  static func candidate(_ configuration: ModelConfiguration) -> Candidate {
    configuration[MinGRUOptions.self].candidate
  }

  static func bias(_ configuration: ModelConfiguration, bound: Double) -> Initializer {
    .uniform(bound: bound)
  }

  static func forward(_ sums: ProjectedStep, previous: Matrix, candidate: Candidate, h: Matrix) {
    st_mingru_forward(
      h.rows, h.columns, sums.rows, sums.index, previous.base, candidate == .positive, h.base)
  }

  static func backward(
    _ sums: ProjectedStep, dh: Matrix, previous: Matrix, candidate: Candidate, sumGradients: Matrix,
    stateGradient: Matrix
  ) {
    st_mingru_backward(
      dh.rows, dh.columns, sums.rows, sums.index, dh.base, previous.base, candidate == .positive,
      sumGradients.base, stateGradient.base)
  }
}
