import CKernels
import Chunks

/// The negative log likelihood of real units that are independent and normal (Nix & Weigend 1994), in nats, the sum over
/// the units of a position: sum over d of u_d (log(2 pi) + s_d + (t_d - m_d)^2 exp(-s_d)) / 2, with unit weights u.
///
/// The head's 2 D outputs are the means m, then what the log variances s are made from: s = 15 tanh(output / 15), which is
/// the output itself near zero, and keeps deviations between e^-7.5 and e^7.5. As `torch.nn.GaussianNLLLoss` with
/// `full=True`, but for that bound.
final class Gaussian: Objective {
  static let name = "gaussian"
  static let judgements: Set = [Judgement.error, .density]

  static func suits(_ tracks: TrackSet) -> Suitability {
    if case .frames = tracks[.target] { .possible } else { .none }
  }

  var outputs: Int { 2 * targets.width }

  private let targets: FrameTargets
  private let means: Matrix
  private let variances: Matrix

  init(_ builder: Builder, _ configuration: ModelConfiguration) {
    targets = FrameTargets(builder)
    means = builder.floats(builder.shape.rows, targets.width)
    variances = builder.floats(builder.shape.rows, targets.width)
  }

  var records: [Record] {
    [
      Record(
        name: "prediction", description: "the expected frame", unit: "as the target",
        use: [.kept, .predicted],
        columns: targets.width, values: .floats(means.base), quantity: .frame),
      Record(
        name: "variance", description: "the variance of each unit around what is expected",
        unit: "the square of the target's", use: [.kept, .predicted], columns: targets.width,
        values: .floats(variances.base), quantity: .variance),
    ]
  }

  func compute(
    _ values: Matrix, rows: Range<Int>, of chunk: Chunk, losses: UnsafeMutablePointer<Double>,
    _ pass: ObjectivePass
  ) {
    let row = rows.lowerBound
    st_gaussian_loss(
      rows.count, targets.width, values.base, targets.values(chunk, from: row), chunk.weights + row,
      targets.unitWeights(chunk, from: row), pass == .training, losses + row)
    guard pass != .training else { return }
    for index in 0..<rows.count {
      means[row + index].update(from: values[index], count: targets.width)
      st_variances(targets.width, values[index] + targets.width, variances[row + index])
    }
  }
}
