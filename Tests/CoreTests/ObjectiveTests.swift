import Chunks
import Core
import Glibc
import Random
import Testing

/// An objective beside its equations in Double: what is tested of all objectives is tested of each of these.
struct ObjectiveUnderTest: Sendable, CustomTestStringConvertible {
  var testDescription: String
  let name: String
  /// Outputs a unit, or a class.
  var outputsPerUnit = 1
  var isOfTokens = false
  var isBinary = false
  /// The loss of a position of weight 1, and what its weight is multiplied by in the sum of weights.
  let loss: @Sendable (_ outputs: [Double], _ target: Target, _ isTraining: Bool) -> (Double, weight: Double)
  var configure: @Sendable (inout ModelConfiguration) -> Void = { _ in }

  struct Target {
    /// The units; of tokens one, which is a number.
    let values: [Double]
    let unitWeights: [Double]
  }

  static let all = [
    ObjectiveUnderTest(
      testDescription: "cross_entropy", name: "cross_entropy", isOfTokens: true,
      loss: { outputs, target, _ in (logSum(outputs) - outputs[Int(target.values[0])], 1) }),
    ObjectiveUnderTest(
      testDescription: "cross_entropy, smoothed and weighted", name: "cross_entropy", isOfTokens: true,
      loss: { outputs, target, isTraining in
        let token = Int(target.values[0])
        guard isTraining else { return (logSum(outputs) - outputs[token], 1) }
        let weights = classWeights(outputs.count)
        let all = outputs.indices.map { weights[$0] * (logSum(outputs) - outputs[$0]) }
        let even = all.reduce(0, +) / Double(outputs.count)
        return (0.8 * all[token] + 0.2 * even, weights[token])
      },
      configure: {
        $0.labelSmoothing = 0.2
        $0.classWeights = classWeights(5)
      }),
    ObjectiveUnderTest(
      testDescription: "squared_error", name: "squared_error",
      loss: { outputs, target, _ in
        let terms = outputs.indices.map { target.unitWeights[$0] * pow(outputs[$0] - target.values[$0], 2) }
        let count = Double(outputs.count)
        return (terms.reduce(0, +) / count, target.unitWeights.reduce(0, +) / count)
      }),
    ObjectiveUnderTest(
      testDescription: "gaussian", name: "gaussian", outputsPerUnit: 2,
      loss: { outputs, target, _ in
        let units = target.values.count
        let terms = (0..<units).map { unit in
          let s = 15 * tanh(outputs[units + unit] / 15)
          let error = target.values[unit] - outputs[unit]
          return target.unitWeights[unit] * (log(2 * Double.pi) + s + error * error / exp(s)) / 2
        }
        return (terms.reduce(0, +), 1)
      }),
    ObjectiveUnderTest(
      testDescription: "bernoulli", name: "bernoulli", isBinary: true,
      loss: { outputs, target, _ in
        let terms = outputs.indices.map { unit in
          let probability = 1 / (1 + exp(-outputs[unit]))
          let isOne = target.values[unit]
          return -target.unitWeights[unit] * (isOne * log(probability) + (1 - isOne) * log(1 - probability))
        }
        return (terms.reduce(0, +), 1)
      }),
  ]

  /// As `model.class_weights` gives them.
  private static func classWeights(_ count: Int) -> [Double] { (0..<count).map { 0.25 + Double($0 % 4) / 2 } }

  private static func logSum(_ outputs: [Double]) -> Double { log(outputs.reduce(0) { $0 + exp($1) }) }

  /// The tracks of `units` units.
  func tracks(units: Int, hasUnitWeights: Bool) -> TrackSet {
    var kinds: [TrackRole: TrackKind] = [
      .input: .frames(width: 3), .target: isOfTokens ? .tokens(count: units) : .frames(width: units),
    ]
    if hasUnitWeights && !isOfTokens { kinds[.weight] = .frames(width: units) }
    return TrackSet(kinds, hasBinaryTargets: isBinary)
  }
}

/// A model with an objective, and a chunk for it.
private struct ObjectiveCase {
  let tested: ObjectiveUnderTest
  let shape: ChunkShape
  let units: Int
  let hasUnitWeights: Bool
  let model: Model
  let chunk: Chunk

  init(
    _ tested: ObjectiveUnderTest, units: Int = 5, hasUnitWeights: Bool = false, shape: ChunkShape,
    lanes: Range<Int>? = nil
  ) {
    self.tested = tested
    self.units = units
    self.hasUnitWeights = hasUnitWeights
    self.shape = shape
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.layers, configuration.hidden, configuration.embedding) = (
      "rnn", 1, 2, 2
    )
    guard let objective = ObjectiveChoice(rawValue: tested.name) else {
      preconditionFailure("no objective \(tested.name)")
    }
    configuration.objective = objective
    tested.configure(&configuration)
    let tracks = tested.tracks(units: units, hasUnitWeights: hasUnitWeights)
    let memory = ParameterMemory(
      layout: Blueprint(configuration, tracks: tracks).layout, shards: shape.shards)
    for (index, parameter) in memory.layout.parameters.enumerated() {
      for (i, value) in numbers(parameter.count, seed: UInt64(index)).enumerated() {
        memory.weights[parameter.offset + i] = 2 * value
      }
    }
    model = Model(configuration, tracks: tracks, memory: memory, shape: shape, precision: .float32)
    chunk = Chunk(steps: shape.steps, lanes: shape.lanes, tracks: tracks)
    fill(firstLane: lanes?.lowerBound ?? 0)
  }

  /// Random numbers that depend on the step and the lane alone.
  private func fill(firstLane: Int) {
    let unitTracks = tested.isOfTokens ? [] : hasUnitWeights ? [TrackRole.target, .weight] : [.target]
    for t in 0..<shape.steps {
      for lane in 0..<shape.lanes {
        let (row, place) = (t * shape.lanes + lane, UInt32(firstLane + lane))
        var random = RandomStream(RandomKey(seed: 5, purpose: .synthesis), at: (UInt32(t), place, 0))
        for column in 0..<3 { chunk.frames(.input)[row][column] = Float(2 * random.uniform() - 1) }
        if tested.isOfTokens { chunk.tokens(.target)[row] = Int32(random.below(units)) }
        for role in unitTracks {
          for unit in 0..<units {
            let value =
              role == .weight || tested.isBinary ? Double(random.below(2)) : 2 * random.uniform() - 1
            chunk.frames(role)[row][unit] = Float(role == .weight ? value * 0.75 : value)
          }
        }
        chunk.weights[row] = [1, 0, 0.5, 1, 2][random.below(5)]
      }
    }
  }

  /// The loss of a position and its weight by the equations, from outputs in Double.
  func reference(_ outputs: [Double], _ row: Int, isTraining: Bool) -> (loss: Double, weight: Double) {
    let target =
      tested.isOfTokens
      ? [Double(chunk.tokens(.target)[row])] : (0..<units).map { Double(chunk.frames(.target)[row][$0]) }
    let unitWeights =
      hasUnitWeights && !tested.isOfTokens
      ? (0..<units).map { Double(chunk.frames(.weight)[row][$0]) } : [Double](repeating: 1, count: units)
    let (loss, weight) = tested.loss(
      outputs, ObjectiveUnderTest.Target(values: target, unitWeights: unitWeights), isTraining)
    let own = Double(chunk.weights[row])
    return own == 0 ? (0, 0) : (own * loss, own * weight)
  }

  /// W h + b in Double.
  func outputs(_ row: Int) -> [Double] {
    let (weight, bias) = (parameter("head.weight"), parameter("head.bias"))
    return bias.indices.map { output in
      (0..<2).reduce(bias[output]) { $0 + weight[2 * output + $1] * Double(model.hidden[row][$1]) }
    }
  }

  func parameter(_ name: String, gradientOf shard: Int? = nil) -> [Double] {
    guard let parameter = model.memory.layout.parameters.first(where: { $0.name == name }) else { return [] }
    let vector = shard.map { model.memory.gradients[$0] } ?? model.memory.weights
    return (0..<parameter.count).map { Double(vector[parameter.offset + $0]) }
  }
}

/// One suite for all objectives.
@Suite struct ObjectiveTests {
  private static let shape = ChunkShape(steps: 4, shards: 3, lanesPerShard: 2)

  @Test(arguments: ObjectiveUnderTest.all, [false, true])
  func `losses, weights and gradients are those of the equations`(
    _ tested: ObjectiveUnderTest, _ hasUnitWeights: Bool
  ) {
    let way = ObjectiveCase(tested, hasUnitWeights: hasUnitWeights, shape: Self.shape)
    for isTraining in [false, true] {
      if isTraining { way.model.train(way.chunk) } else { way.model.evaluate(way.chunk) }
      var sums = [(loss: Double, weight: Double)](repeating: (0, 0), count: Self.shape.lanes)
      for row in 0..<Self.shape.rows {
        let (loss, weight) = way.reference(way.outputs(row), row, isTraining: isTraining)
        expectAgreement(
          [Float(way.model.losses[row])], [loss], tolerance: 3e-6, scale: 1, "loss of row \(row)")
        sums[row % Self.shape.lanes].loss += loss
        sums[row % Self.shape.lanes].weight += weight
      }
      expectAgreement(
        way.model.laneLosses.map { Float($0) }, sums.map(\.loss), tolerance: 3e-6, scale: 1, "sums of losses")
      expectAgreement(
        way.model.laneWeights.map { Float($0) }, sums.map(\.weight), tolerance: 1e-6, scale: 1,
        "sums of weights")
    }
    for shard in 0..<Self.shape.shards { expectGradients(way, shard: shard) }
  }

  /// Those of the head's parameters, from central differences of the losses by the outputs.
  private func expectGradients(_ way: ObjectiveCase, shard: Int) {
    var (weight, bias) = ([Double](), [Double]())
    for row in 0..<Self.shape.rows where row % Self.shape.lanes / Self.shape.lanesPerShard == shard {
      let outputs = way.outputs(row)
      if bias.isEmpty {
        bias = [Double](repeating: 0, count: outputs.count)
        weight = [Double](repeating: 0, count: 2 * outputs.count)
      }
      for index in outputs.indices {
        func loss(_ step: Double) -> Double {
          var moved = outputs
          moved[index] += step
          return way.reference(moved, row, isTraining: true).loss
        }
        let slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
        bias[index] += slope
        for unit in 0..<2 { weight[2 * index + unit] += slope * Double(way.model.hidden[row][unit]) }
      }
    }
    for (name, expected) in [("head.weight", weight), ("head.bias", bias)] {
      expectAgreement(
        way.parameter(name, gradientOf: shard).map { Float($0) }, expected, tolerance: 5e-6, scale: 1,
        "gradient of \(name), shard \(shard)")
    }
  }

  @Test(arguments: ObjectiveUnderTest.all)
  func `a shard's sums and gradients do not depend on the shards beside it`(_ tested: ObjectiveUnderTest) {
    let together = ObjectiveCase(tested, hasUnitWeights: true, shape: Self.shape)
    together.model.train(together.chunk)
    for shard in 0..<Self.shape.shards {
      let lanes = 2 * shard..<2 * shard + 2
      let alone = ObjectiveCase(
        tested, hasUnitWeights: true, shape: ChunkShape(steps: 4, shards: 1, lanesPerShard: 2), lanes: lanes)
      alone.model.train(alone.chunk)
      #expect(alone.model.laneLosses == Array(together.model.laneLosses[lanes]))
      #expect(alone.model.laneWeights == Array(together.model.laneWeights[lanes]))
      for name in ["head.weight", "head.bias", "stem.weight"] {
        let found = alone.parameter(name, gradientOf: 0)
        #expect(found == together.parameter(name, gradientOf: shard) && found.contains { $0 != 0 }, "\(name)")
      }
    }
  }

  /// So many units that the head computes the steps in blocks.
  @Test(arguments: ObjectiveUnderTest.all.filter { !$0.isOfTokens })
  func `losses of many units are computed in blocks of steps`(_ tested: ObjectiveUnderTest) {
    let shape = ChunkShape(steps: 3, shards: 1, lanesPerShard: 4)
    let way = ObjectiveCase(tested, units: 1 << 20 / tested.outputsPerUnit, shape: shape)
    way.model.train(way.chunk)
    let trained = way.model.losses
    way.model.clearStates()
    way.model.evaluate(way.chunk)
    #expect(way.model.losses == trained)
    for row in 0..<shape.rows {
      let expected = way.reference(way.outputs(row), row, isTraining: true).loss
      #expect(abs(trained[row] - expected) <= 1e-5 * abs(expected), "row \(row)")
    }
  }

  @Test(arguments: [
    (TrackKind.tokens(count: 5), false, "cross_entropy"), (.frames(width: 5), false, "squared_error"),
    (.frames(width: 5), true, "bernoulli"),
  ])
  func `the objective is chosen by the data`(_ target: TrackKind, _ isBinary: Bool, _ name: String) throws {
    let tracks = TrackSet([.input: .frames(width: 1), .target: target], hasBinaryTargets: isBinary)
    #expect(try ObjectiveChoice.auto.objective(for: tracks).name == name)
  }

  @Test func `an objective that can't use the targets, and settings of another, are refused`() throws {
    func refusal(_ target: TrackKind, _ change: (inout ModelConfiguration) -> Void) -> String {
      var configuration = ModelConfiguration()
      change(&configuration)
      do {
        try configuration.check(TrackSet([.input: .frames(width: 2), .target: target]))
        return ""
      } catch { return "\(error)" }
    }
    let (labels, frames) = (TrackKind.tokens(count: 3), TrackKind.frames(width: 3))
    #expect(refusal(labels) { _ in } == "" && refusal(frames) { _ in } == "")
    #expect(
      refusal(labels) { $0.objective = ObjectiveChoice(rawValue: "gaussian") ?? .auto }
        == "model.objective gaussian can't use targets of 3 labels; expected auto or cross_entropy")
    #expect(
      refusal(frames) { $0.labelSmoothing = 0.1 }
        == "model.label_smoothing is for model.objective cross_entropy, found squared_error")
    #expect(
      refusal(labels) { $0.classWeights = [1, 2] }
        == "model.class_weights has 2 numbers; expected 3, one for each label of the data")
    #expect(
      refusal(labels) { $0.tied = true }.hasPrefix("model.tied needs inputs and targets of the same tokens"))
  }
}
