/// What is differentiated: for each lane, the sum of its chunk's losses, plus a linear function of the states that
/// leave the chunk. Gradients are central differences.
struct Objective {
  var model: ReferenceModel
  let chunks: [LaneChunk]
  /// The states that enter, by lane.
  var entering: [[Vector]]
  /// The factors of the states that leave, by lane.
  let factors: [[Vector]]

  private static let difference = 1e-5

  func value(ofLane lane: Int) -> Double {
    let result = model.run(chunks[lane], entering: entering[lane])
    let products = zip(factors[lane], result.states).map { ($0 * $1).sum }
    return result.losses.reduce(0, +) + products.reduce(0, +)
  }

  /// The gradient of the sum over some lanes with respect to a parameter.
  func gradient(ofLanes lanes: Range<Int>, parameter name: String) -> [Double] {
    var moved = self
    let count = model.parameters[name]?.elements.count ?? 0
    return (0..<count).map { index in
      Self.slope { step in
        let old = moved.model.parameters[name]?.elements[index] ?? 0
        moved.model.parameters[name]?.elements[index] = old + step
        defer { moved.model.parameters[name]?.elements[index] = old }
        return lanes.reduce(0) { $0 + moved.value(ofLane: $1) }
      }
    }
  }

  /// The gradient with respect to a state that enters a lane.
  func gradient(ofLane lane: Int, enteringState state: Int) -> [Double] {
    var moved = self
    return entering[lane][state].elements.indices.map { index in
      Self.slope { step in
        let old = moved.entering[lane][state].elements[index]
        moved.entering[lane][state].elements[index] = old + step
        defer { moved.entering[lane][state].elements[index] = old }
        return moved.value(ofLane: lane)
      }
    }
  }

  private static func slope(_ value: (Double) -> Double) -> Double {
    (value(difference) - value(-difference)) / (2 * difference)
  }
}
