import Chunks
import Core
import Preconditions

/// Adds up over the positions of chunks what measures are made of.
protocol Tally: AnyObject {
  /// The sums that it takes.
  var count: Int { get }
  /// Whether they are whole numbers, whose sum does not depend on the order: then there is one row of them; otherwise one
  /// a lane.
  var isExact: Bool { get }

  /// Begins anew.
  func begin()
  /// Adds a chunk that the model has evaluated to the sums. [lanes, count] or [1, count]
  func add(_ chunk: Chunk, to sums: UnsafeMutablePointer<Double>)
  /// Adds what only the end of all chunks shows.
  func finish(_ sums: UnsafeMutablePointer<Double>)
  /// Makes measures of the sums over all lanes.
  func conclude(_ sums: [Double], _ metrics: inout Metrics)
}

extension Tally {
  func begin() {}
  func finish(_ sums: UnsafeMutablePointer<Double>) {}
}

/// The measures that apply to a model and its data.
package struct MeasureSet {
  private let judgements: Set<Judgement>
  private let description: TargetDescription
  private let runsFree: Bool

  /// More labels are not told apart, since their confusions are counted in a matrix.
  private static let mostLabels = 1024

  /// Those of a configuration, checked against the tracks.
  ///
  /// - Parameter runsFree: Whether the model also reads what it draws itself.
  package init(
    _ configuration: ModelConfiguration, tracks: TrackSet, _ description: TargetDescription,
    runsFree: Bool = false
  ) {
    self.runsFree = runsFree
    judgements = configuration.judgements(for: tracks)
    self.description = description
  }

  private var hasLabels: Bool {
    judgements.contains(.choice) && (1...Self.mostLabels).contains(description.labels.count)
  }

  private var hasEntities: Bool { hasLabels && EntityTag.areTags(description.labels) }

  /// The measures, in the order in which they are shown.
  package var measures: [Measure] {
    var measures = [Measure.loss]
    if judgements.contains(.choice) { measures += [.perplexity, .bitsPerTarget] }
    if !judgements.isDisjoint(with: [.choice, .decision]) { measures.append(.accuracy) }
    if hasLabels { measures += [.precisionMacro, .recallMacro, .f1Macro] }
    if hasEntities { measures += [.precisionEntities, .recallEntities, .f1Entities] }
    if judgements.contains(.error) { measures += [.mse, .mae, .r2, .rse, .corr] }
    if judgements.contains(.density) { measures.append(.nll) }
    if runsFree { measures += [.freeRunningLoss, .exposureBias] }
    return measures
  }

  /// What adds them up, in the same order.
  func makeTallies(_ model: Model) -> [any Tally] {
    var tallies: [any Tally] = [LossTally(model, judgements)]
    if judgements.contains(.decision) { tallies.append(DecisionTally(model)) }
    if hasLabels { tallies.append(LabelTally(model, description.labels)) }
    if hasEntities { tallies.append(EntityTally(model, description.labels)) }
    if judgements.contains(.error) {
      tallies.append(ErrorTally(model, description, isDensity: judgements.contains(.density)))
    }
    return tallies
  }
}

extension Model {
  /// The numbers of the most probable tokens. [T B]
  var predictedTokens: UnsafePointer<Int32> {
    guard case .integers(let values) = record("prediction").values else {
      preconditionFailure("the predictions are tokens")
    }
    return values
  }

  /// The frames that are expected. [T B, D]
  var predictedFrames: (values: UnsafePointer<Float>, width: Int) {
    let record = record("prediction")
    guard case .floats(let values) = record.values else { preconditionFailure("the predictions are frames") }
    return (values, record.columns)
  }

  private func record(_ name: String) -> Record {
    guard let record = records.first(where: { $0.name == name }) else {
      preconditionFailure("a model records what it predicts")
    }
    return record
  }
}
