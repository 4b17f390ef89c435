import CKernels
import Chunks

/// The negative log likelihood of binary units that are independent, in nats, the sum over the units of a position: sum
/// over d of u_d (max(o_d, 0) - o_d t_d + log(1 + exp(-|o_d|))), with unit weights u. The outputs are logits; as
/// `torch.nn.BCEWithLogitsLoss`.
final class Bernoulli: Objective {
  static let name = "bernoulli"
  static let judgements: Set = [Judgement.decision, .density]

  static func suits(_ tracks: TrackSet) -> Suitability {
    guard case .frames = tracks[.target] else { return .none }
    return tracks.hasBinaryTargets ? .natural : .none
  }

  let outputs: Int

  private let targets: FrameTargets
  private let probabilities: Matrix

  init(_ builder: Builder, _ configuration: ModelConfiguration) {
    targets = FrameTargets(builder)
    outputs = targets.width
    probabilities = builder.floats(builder.shape.rows, outputs)
  }

  var records: [Record] {
    [
      Record(
        name: "prediction", description: "the probability that a unit is 1", unit: "1",
        use: [.kept, .predicted], columns: outputs, values: .floats(probabilities.base))
    ]
  }

  func compute(
    _ logits: Matrix, rows: Range<Int>, of chunk: Chunk, losses: UnsafeMutablePointer<Double>,
    _ pass: ObjectivePass
  ) {
    let row = rows.lowerBound
    st_bernoulli_loss(
      rows.count, outputs, logits.base, targets.values(chunk, from: row), chunk.weights + row,
      targets.unitWeights(chunk, from: row), pass == .training, losses + row)
    if pass != .training { st_probabilities(logits.count, logits.base, probabilities[row]) }
  }
}
