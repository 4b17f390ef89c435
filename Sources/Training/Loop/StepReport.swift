import CKernels
import Chunks
import Core
import MPI

/// What all ranks know of a step before anything is updated.
package struct StepSummary {
  /// The sum of the losses of all targets, in nats.
  package var loss = 0.0
  /// The sum of the weights of all targets.
  package var targets = 0.0
  /// The sums of the discriminator's losses, and of the model's of being told apart, where there is a discriminator.
  var adversarialLosses: (discriminator: Double, model: Double)?
  /// The sum of squares of the summed gradients.
  package var squares = 0.0
  /// Whether any rank has been asked to stop.
  var stops = false
  /// Whether any rank could not read its data.
  var failed = false
  /// The first thing that is not finite, if any.
  var nonFinite: NonFinite?
  /// The parts of the digests of the hosts' weights, where they were reported, by rank.
  var weightDigests: [UInt64] = []

  package init() {}

  /// The mean loss, in nats a target; 0 where there are no targets.
  package var meanLoss: Double { targets > 0 ? loss / targets : 0 }

  /// The means of the adversarial losses; 0 where there are no targets. The discriminator has two losses a target.
  package var adversarial: (discriminator: Double, model: Double)? {
    adversarialLosses.map {
      targets > 0 ? ($0.discriminator / (2 * targets), $0.model / targets) : (0, 0)
    }
  }
}

/// Something that is not finite, and where.
package enum NonFinite: Equatable, CustomStringConvertible {
  case loss(rank: Int, lane: Int)
  case state(rank: Int, name: String, lane: Int)
  case gradient(name: String)

  package var description: String {
    switch self {
    case .loss(let rank, let lane): "the loss of lane \(lane) on rank \(rank)"
    case .state(let rank, let name, let lane): "the state \(name) of lane \(lane) on rank \(rank)"
    case .gradient(let name): "the gradient of \(name)"
    }
  }
}

/// How long the ranks have waited for one another over some steps.
package struct RankWaits: Equatable {
  /// The rank that has waited least: the one that the others have waited for.
  package let slowestRank: Int
  /// What a rank has waited on average, in seconds.
  package let seconds: Double

  /// - Parameter waited: The seconds of each rank; there is one at least.
  package init(_ waited: UnsafeMutableBufferPointer<Double>) {
    slowestRank = waited.indices.min { waited[$0] < waited[$1] } ?? 0
    seconds = waited.reduce(0, +) / Double(waited.count)
  }
}

/// Gathers what each rank contributes to a step's summary, in one exchange.
///
/// Each rank sends: whether it stops, whether it failed, which state is not finite, which element of the gradient is
/// not finite, how long it has waited, a part of the digest of its host's weights; the loss and the sum of target weights of each of its lanes, with a discriminator its
/// losses too; the sum of squares of each of its blocks of
/// the gradient. All sums are taken in the order of lanes, of each tile by itself, and of blocks in the flat vector, in Double, so that they
/// do not depend on the number of ranks.
final class StepReport {
  private static let headerCount = 6

  private let communicator: Communicator
  private let layout: ParameterLayout
  private let tiles: TilePlan
  /// The lanes in each rank's arrays.
  private let columns: [Int]
  private let slicesOfRank: [[Range<Int>]]
  private let stateNames: [String]
  private let ranks: RankBlocks
  private let hasDiscriminator: Bool
  /// The numbers of a lane.
  private let laneCount: Int
  private let buffer: Buffer<Double>
  private let blockSquares: Buffer<Double>
  /// The seconds that each rank has waited since the last `takeWaits`.
  private let waited: Buffer<Double>

  init(
    _ communicator: Communicator, layout: ParameterLayout, tiles: TilePlan, stateNames: [String],
    hasDiscriminator: Bool = false
  ) {
    let laneCount = hasDiscriminator ? 4 : 2
    self.laneCount = laneCount
    self.hasDiscriminator = hasDiscriminator
    let ownership = Ownership(layout, hosts: communicator.hosts)
    self.communicator = communicator
    self.layout = layout
    self.tiles = tiles
    columns = (0..<communicator.size).map(tiles.columns)
    self.stateNames = stateNames
    slicesOfRank = (0..<communicator.size).map(ownership.ranges(of:))
    ranks = RankBlocks(
      counts: zip(columns, slicesOfRank).map { columns, slices in
        Self.headerCount + laneCount * columns + slices.reduce(0) { $0 + $1.count }
          / ParameterLayout.alignment
      })
    buffer = Buffer(count: ranks.count)
    blockSquares = Buffer(count: layout.count / ParameterLayout.alignment)
    waited = Buffer(count: communicator.size)
  }

  private var own: UnsafeMutablePointer<Double> { buffer.base + ranks.offsets[communicator.rank] }

  /// Begins the report of a step.
  func begin() { own.update(repeating: 0, count: ranks.counts[communicator.rank]) }

  /// Reports whether this rank has been asked to stop.
  func add(stop: Bool) { own[0] = stop ? 1 : 0 }

  /// Reports that this rank could not read its data.
  func fail() { own[1] = 1 }

  /// Reports how many seconds this rank has waited for others in steps since it last reported.
  func add(waited seconds: Double) { own[4] = seconds }

  /// Reports the rank's part of the digest of its host's weights.
  func add(weights digest: UInt64) { own[5] = Double(bitPattern: digest) }

  /// How long the ranks have waited, by all reports since this was last called.
  func takeWaits() -> RankWaits {
    let waits = RankWaits(waited.elements)
    waited.elements.update(repeating: 0)
    return waits
  }

  /// Adds the losses of a chunk, and those of the discriminator where there is one.
  func add(_ sums: LaneSums, _ discriminator: Discriminator?) {
    for lane in 0..<columns[communicator.rank] {
      let place = own + Self.headerCount + laneCount * lane
      place[0] += sums[lane, LaneSums.loss]
      place[1] += sums[lane, LaneSums.weight]
      guard let losses = discriminator?.losses(lane: lane) else { continue }
      place[2] += losses.own
      place[3] += losses.model
    }
  }

  /// Looks for states that are not finite.
  func check(_ states: [CarriedState]) {
    let lanes = columns[communicator.rank]
    for (index, state) in states.enumerated() {
      guard let element = state.firstNonFinite else { continue }
      own[2] = Double(1 + index * lanes + element / state.values.columns)
      return
    }
  }

  /// Adds the squares of the summed gradients, which are indexed like the flat vector.
  func add(gradients: UnsafePointer<Float>) {
    var place = own + Self.headerCount + laneCount * columns[communicator.rank]
    for slice in slicesOfRank[communicator.rank] {
      for start in stride(from: slice.lowerBound, to: slice.upperBound, by: ParameterLayout.alignment) {
        place.pointee = st_sum_of_squares(ParameterLayout.alignment, gradients + start)
        if !place.pointee.isFinite, own[3] == 0 {
          own[3] = Double(
            1 + start + max(0, st_first_non_finite(ParameterLayout.alignment, gradients + start)))
        }
        place += 1
      }
    }
  }

  /// Exchanges the reports; every rank gets the same summary.
  ///
  /// - Parameter hasDigests: Whether the ranks have reported digests.
  func gather(hasDigests: Bool) throws -> StepSummary {
    try communicator.allgather(buffer.elements, ranks)
    var summary = StepSummary()
    var adversarial = (discriminator: 0.0, model: 0.0)
    for rank in 0..<communicator.size {
      var place = buffer.base + ranks.offsets[rank]
      summary.stops = summary.stops || place[0] != 0
      summary.failed = summary.failed || place[1] != 0
      summary.nonFinite = summary.nonFinite ?? nonFinite(rank, place)
      waited.elements[rank] += place[4]
      if hasDigests { summary.weightDigests.append(place[5].bitPattern) }
      place += Self.headerCount
      for _ in 0..<columns[rank] {
        summary.loss += place[0]
        summary.targets += place[1]
        if hasDiscriminator {
          adversarial.discriminator += place[2]
          adversarial.model += place[3]
        }
        place += laneCount
      }
      for slice in slicesOfRank[rank] {
        let count = slice.count / ParameterLayout.alignment
        (blockSquares.base + slice.lowerBound / ParameterLayout.alignment).update(from: place, count: count)
        place += count
      }
    }
    if hasDiscriminator { summary.adversarialLosses = adversarial }
    for block in blockSquares.elements { summary.squares += block }
    return summary
  }

  private func nonFinite(_ rank: Int, _ report: UnsafeMutablePointer<Double>) -> NonFinite? {
    let lanes = columns[rank]
    func lane(_ column: Int) -> Int { tiles.tiles(of: rank).lane(ofColumn: column) }
    for column in 0..<lanes where !report[Self.headerCount + laneCount * column].isFinite {
      return .loss(rank: rank, lane: lane(column))
    }
    if report[2] != 0 {
      let (state, column) = (Int(report[2]) - 1).quotientAndRemainder(dividingBy: lanes)
      return .state(rank: rank, name: stateNames[state], lane: lane(column))
    }
    if report[3] != 0 {
      let element = Int(report[3]) - 1
      let name = layout.parameter(at: element)?.name ?? "padding"
      return .gradient(name: name)
    }
    return nil
  }
}
