import CKernels
import Chunks

/// The squared error of real units, the mean over the units of a position: sum over d of u_d (o_d - t_d)^2 / D, with unit
/// weights u. Its mean is over all units that count, as `torch.nn.MSELoss` without weights.
final class SquaredError: Objective {
  static let name = "squared_error"
  static let judgements: Set = [Judgement.error]

  static func suits(_ tracks: TrackSet) -> Suitability {
    guard case .frames = tracks[.target] else { return .none }
    return tracks.hasBinaryTargets ? .possible : .natural
  }

  let outputs: Int

  private let targets: FrameTargets
  private let predictions: Matrix

  init(_ builder: Builder, _ configuration: ModelConfiguration) {
    targets = FrameTargets(builder)
    outputs = targets.width
    predictions = builder.floats(builder.shape.rows, outputs)
  }

  var records: [Record] {
    [
      Record(
        name: "prediction", description: "the expected frame", unit: "as the target",
        use: [.kept, .predicted],
        columns: outputs, values: .floats(predictions.base), quantity: .frame)
    ]
  }

  func weigh(_ chunk: Chunk, _ pass: ObjectivePass) -> UnsafePointer<Float> { targets.weighByUnits(chunk) }

  func compute(
    _ values: Matrix, rows: Range<Int>, of chunk: Chunk, losses: UnsafeMutablePointer<Double>,
    _ pass: ObjectivePass
  ) {
    let row = rows.lowerBound
    st_squared_error(
      rows.count, targets.width, values.base, targets.values(chunk, from: row), chunk.weights + row,
      targets.unitWeights(chunk, from: row), pass == .training, losses + row)
    if pass != .training { predictions.rows(rows).copy(from: values) }
  }
}
