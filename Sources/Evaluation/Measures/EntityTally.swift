import Chunks
import Core

/// A label as the tag of an entity: B-TYPE begins one, I-TYPE goes on with one, and O is outside.
struct EntityTag: Equatable {
  let letter: Character
  let type: Substring

  static let outside = EntityTag(letter: "O", type: "")

  /// nil for a label that is no tag.
  init?(_ label: String) {
    guard label != "O" else {
      self = .outside
      return
    }
    guard label.hasPrefix("B-") || label.hasPrefix("I-") else { return nil }
    self.init(letter: label.first ?? "O", type: label.dropFirst(2))
  }

  private init(letter: Character, type: Substring) {
    self.letter = letter
    self.type = type
  }

  /// Whether labels are tags, and not all of them O.
  static func areTags(_ labels: [String]) -> Bool {
    let tags = labels.map(EntityTag.init)
    return tags.allSatisfy { $0 != nil } && tags.contains { $0 != .outside }
  }

  /// Whether an entity ends between this tag and the next.
  func ends(before next: EntityTag) -> Bool {
    self != .outside && (next.letter != "I" || next.type != type)
  }

  /// Whether an entity begins with this tag, behind another.
  func begins(after last: EntityTag) -> Bool {
    self != .outside && (letter == "B" || last.type != type)
  }
}

/// Whole entities, counted as the script conlleval of the CoNLL shared tasks does (Tjong Kim Sang & Buchholz 2000): one is
/// right where it has the type, the beginning and the end of an entity of the targets. Streams end entities, and so do
/// positions without weight.
final class EntityTally: Tally {
  let isExact = true
  let count = 3

  private let model: Model
  private let tags: [EntityTag]
  private var lanes: [Lane]

  /// Where a lane is.
  private struct Lane {
    var target = EntityTag.outside
    var predicted = EntityTag.outside
    /// Whether both are in entities that have agreed so far.
    var agrees = false
  }

  init(_ model: Model, _ labels: [String]) {
    self.model = model
    tags = labels.map { EntityTag($0) ?? .outside }
    lanes = []
    begin()
  }

  func begin() { lanes = [Lane](repeating: Lane(), count: model.shape.lanes) }

  func add(_ chunk: Chunk, to sums: UnsafeMutablePointer<Double>) {
    let (predictions, targets) = (model.predictedTokens, chunk.tokens(.target))
    for row in 0..<chunk.rows {
      let lane = row % chunk.lanes
      if chunk.resets[row] != 0 { step(lane, .outside, .outside, sums) }
      let counts = chunk.weights[row] > 0
      step(
        lane, counts ? tags[Int(targets[row])] : .outside, counts ? tags[Int(predictions[row])] : .outside,
        sums)
    }
  }

  func finish(_ sums: UnsafeMutablePointer<Double>) {
    for lane in lanes.indices { step(lane, .outside, .outside, sums) }
  }

  private func step(
    _ index: Int, _ target: EntityTag, _ predicted: EntityTag, _ sums: UnsafeMutablePointer<Double>
  ) {
    var lane = lanes[index]
    if lane.agrees {
      let (targetEnds, predictedEnds) = (
        lane.target.ends(before: target), lane.predicted.ends(before: predicted)
      )
      if targetEnds && predictedEnds { sums[0] += 1 }
      if targetEnds || predictedEnds { lane.agrees = false }
    }
    let (targetBegins, predictedBegins) = (
      target.begins(after: lane.target), predicted.begins(after: lane.predicted)
    )
    if targetBegins && predictedBegins && target.type == predicted.type { lane.agrees = true }
    if targetBegins { sums[1] += 1 }
    if predictedBegins { sums[2] += 1 }
    (lane.target, lane.predicted) = (target, predicted)
    lanes[index] = lane
  }

  func conclude(_ sums: [Double], _ metrics: inout Metrics) {
    let entities = LabelScore(
      name: "entities", targets: Int(sums[1]), predicted: Int(sums[2]), correct: Int(sums[0]))
    metrics.add(.precisionEntities, entities.precision)
    metrics.add(.recallEntities, entities.recall)
    metrics.add(.f1Entities, entities.f1)
  }
}
