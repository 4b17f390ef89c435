import Chunks
import Core
import Testing

/// One way to use a model, which every layer is tested in.
struct GradientCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var steps = 5
  /// The steps of the longest chunk; those of this one where it is nil.
  var capacity: Int?
  var shards = 1
  var lanesPerShard = 2
  var vocabulary = 7
  /// The numbers of the initial conditions.
  var conditions = 0
  /// Whether layers without a reverse are left out.
  var needsReverse = false
  var firstLane = 0
  var configure: @Sendable (inout ModelConfiguration) -> Void = { _ in }
  /// Of (step, lane).
  var isReset: @Sendable (Int, Int) -> Bool = { _, _ in false }
  var weight: @Sendable (Int, Int) -> Float = { _, _ in 1 }

  static let all = [
    GradientCase(testDescription: "one layer", configure: { $0.layers = 1 }),
    GradientCase(testDescription: "two layers"),
    GradientCase(testDescription: "one step of one lane", steps: 1, lanesPerShard: 1),
    GradientCase(
      testDescription: "three layers with layer norm", configure: { ($0.layers, $0.layerNorm) = (3, true) }),
    GradientCase(
      testDescription: "tied embedding", configure: { ($0.tied, $0.embedding) = (true, $0.hidden) }),
    GradientCase(testDescription: "two steps of nine", steps: 2, capacity: 9),
    GradientCase(
      testDescription: "a shorter chunk of three shards with resets", steps: 4, capacity: 7, shards: 3,
      configure: { $0.initialState = .learnt }, isReset: { t, lane in t == 1 && lane != 2 || t == 3 }),
    GradientCase(testDescription: "initial state zero", configure: { $0.initialState = .zero }),
    GradientCase(
      testDescription: "initial state learnt", configure: { $0.initialState = .learnt },
      isReset: { t, lane in t == 0 && lane == 1 || t == 3 }),
    GradientCase(
      testDescription: "dropout", lanesPerShard: 3, firstLane: 5,
      configure: { ($0.layers, $0.dropout) = (3, 0.4) }),
    GradientCase(testDescription: "a reset in the middle", isReset: { t, lane in t == 2 && lane == 1 }),
    GradientCase(testDescription: "a reset at the start", isReset: { t, lane in t == 0 && lane == 0 }),
    GradientCase(testDescription: "a reset at the end", isReset: { t, lane in t == 4 && lane == 0 }),
    GradientCase(testDescription: "resets of every lane", isReset: { t, _ in t == 0 || t == 3 }),
    GradientCase(
      testDescription: "consecutive resets", isReset: { t, lane in lane == 1 && (1...3).contains(t) }),
    GradientCase(
      testDescription: "targets of different and of no weight",
      weight: { t, lane in t == 2 || t == 3 && lane == 1 ? 0 : 0.5 + Float(t) }),
    GradientCase(testDescription: "targets of no weight only", steps: 2, weight: { _, _ in 0 }),
    GradientCase(
      testDescription: "three shards", shards: 3, isReset: { t, lane in t == 2 && lane % 2 == 0 }),
    GradientCase(testDescription: "large vocabulary", vocabulary: 37),
    GradientCase(testDescription: "small vocabulary", vocabulary: 2),
    GradientCase(
      testDescription: "wide", steps: 2,
      configure: { ($0.layers, $0.hidden, $0.embedding) = (1, 18, 3) }),
    GradientCase(
      testDescription: "residual", configure: { ($0.residual, $0.embedding) = (true, $0.hidden) },
      isReset: { t, lane in t == 2 && lane == 1 }),
    GradientCase(
      testDescription: "residual without norms", shards: 2,
      configure: { ($0.residual, $0.embedding, $0.norm) = (true, $0.hidden, .none) }),
    GradientCase(
      testDescription: "residual with perceptrons and dropout", steps: 3, firstLane: 1,
      configure: {
        ($0.residual, $0.embedding, $0.mlp, $0.norm, $0.dropout) = (true, $0.hidden, 2, .rms, 0.3)
      }),
    GradientCase(
      testDescription: "residual with gated perceptrons, tied", steps: 3, capacity: 5,
      configure: {
        ($0.residual, $0.embedding, $0.mlp, $0.mlpKind, $0.tied) = (true, $0.hidden, 1, .gated, true)
      }),
    GradientCase(
      testDescription: "residual with norms behind", steps: 3, capacity: 5,
      configure: {
        ($0.residual, $0.embedding, $0.mlp, $0.normFirst, $0.dropout) = (true, $0.hidden, 2, false, 0.3)
      }, isReset: { t, lane in t == 2 && lane == 1 }),
    GradientCase(testDescription: "output layers", configure: { $0.outputLayers = 2 }),
    GradientCase(
      testDescription: "transition layers", shards: 2, configure: { $0.transitionLayers = 2 },
      isReset: { t, lane in t == 2 && lane != 1 }),
    GradientCase(
      testDescription: "variational dropout", steps: 4, firstLane: 3,
      configure: {
        ($0.variationalDropout.input, $0.variationalDropout.output, $0.variationalDropout.recurrent) = (
          0.3, 0.2, 0.4
        )
      }, isReset: { t, lane in t == 2 && lane == 0 }),
    GradientCase(
      testDescription: "recurrent dropout and transition layers", steps: 4, capacity: 6,
      configure: { ($0.transitionLayers, $0.variationalDropout.recurrent, $0.layers) = (1, 0.4, 1) }),
    GradientCase(
      testDescription: "initial conditions", shards: 2, conditions: 3,
      isReset: { t, lane in t == 0 && lane != 1 || t == 3 }),
    GradientCase(
      testDescription: "bidirectional", steps: 5, capacity: 7, shards: 2, needsReverse: true,
      configure: { $0.bidirectional = true },
      isReset: { t, lane in t == 0 || t == 3 && lane == 1 || t == 4 && lane == 2 }),
    GradientCase(
      testDescription: "bidirectional with initial conditions and learnt states", conditions: 2,
      needsReverse: true,
      configure: { ($0.bidirectional, $0.initialState, $0.outputLayers) = (true, .learnt, 1) },
      isReset: { t, lane in t == 0 || t == 2 && lane == 1 }),
    GradientCase(
      testDescription: "bidirectional residual with learnt states", steps: 4, needsReverse: true,
      configure: {
        ($0.bidirectional, $0.residual, $0.embedding) = (true, true, 2 * $0.hidden)
        ($0.initialState, $0.layers) = (.learnt, 2)
      }, isReset: { t, lane in t == 0 || t == 2 && lane == 1 }),
    GradientCase(
      testDescription: "everything", steps: 4, shards: 2, vocabulary: 5, firstLane: 2,
      configure: {
        ($0.tied, $0.embedding, $0.layerNorm, $0.dropout) = (true, $0.hidden, true, 0.3)
        $0.initialState = .learnt
      },
      isReset: { t, lane in t == 0 && lane == 3 || t == 2 && lane < 2 || t == 3 && lane == 1 },
      weight: { t, lane in t == 1 && lane == 2 ? 0 : 1 }),
  ]
}

/// The core against the equations in Double: losses, outputs and states, and the gradients by central differences.
@Suite struct GradientTests {
  @Test(
    arguments: product(LayerUnderTest.all, GradientCase.all).filter { $0.isReversible || !$1.needsReverse })
  func `passes agree with the equations`(_ cell: LayerUnderTest, _ way: GradientCase) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding) = (5, 4)
    way.configure(&configuration)
    let shape = ChunkShape(
      steps: way.capacity ?? way.steps, shards: way.shards, lanesPerShard: way.lanesPerShard)
    let tested = ModelUnderTest(
      cell, configuration, vocabulary: way.vocabulary, conditions: way.conditions, shape: shape,
      firstLane: way.firstLane)
    let data = ChunkData(
      steps: way.steps, capacity: way.capacity, lanes: shape.lanes, vocabulary: way.vocabulary,
      conditions: way.conditions,
      weight: way.weight,
      isReset: way.isReset)
    tested.randomizeStates()
    let entering =
      configuration.initialState == .zero
      ? tested.states.map { $0.map { .zero($0.count) } } : tested.states

    // A linear function of the states that leave: its factors are their gradients.
    data.withChunk(9) { tested.model.computeLosses($0) }
    for (index, gradient) in tested.model.states.map(\.gradient).enumerated() {
      for (i, value) in numbers(gradient.count, seed: 200 + UInt64(index)).enumerated() {
        gradient.base[i] = value
      }
    }
    let objective = Objective(
      model: tested.reference,
      chunks: (0..<shape.lanes).map { data.lane($0, 9, firstLane: way.firstLane) }, entering: entering,
      factors: tested.byLane(tested.model.states.map(\.gradient)))
    expectForward(tested, objective)
    data.withChunk(9) { tested.model.backpropagate($0) }
    expectGradients(tested, objective)
  }

  private func expectForward(_ tested: ModelUnderTest, _ objective: Objective) {
    let lanes = tested.model.shape.lanes
    for (lane, chunk) in objective.chunks.enumerated() {
      let expected = objective.model.run(chunk, entering: objective.entering[lane])
      for t in chunk.inputs.indices {
        let row = t * lanes + lane
        expectAgreement(
          [Float(tested.model.losses[row])], [expected.losses[t]], tolerance: tested.cell.tolerance, scale: 1,
          "loss of step \(t), lane \(lane)")
        expectAgreement(
          ModelUnderTest.row(row, of: tested.model.hidden), expected.hidden[t].elements,
          tolerance: tested.cell.tolerance,
          scale: 1, "hidden of step \(t), lane \(lane)")
      }
      #expect(abs(tested.model.laneLosses[lane] - expected.losses.reduce(0, +)) < 1e-5)
      #expect(tested.model.laneWeights[lane] == chunk.weights.reduce(0, +))
      for (state, values) in tested.states[lane].enumerated() {
        expectAgreement(
          values.elements.map { Float($0) }, expected.states[state].elements,
          tolerance: tested.cell.tolerance, scale: 1,
          "\(tested.model.states[state].name) of lane \(lane)")
      }
    }
  }

  private func expectGradients(_ tested: ModelUnderTest, _ objective: Objective) {
    let shape = tested.model.shape
    for parameter in tested.memory.layout.parameters {
      for shard in 0..<shape.shards {
        let lanes = shard * shape.lanesPerShard..<(shard + 1) * shape.lanesPerShard
        expectAgreement(
          tested.values(parameter, in: tested.memory.gradients[shard]),
          objective.gradient(ofLanes: lanes, parameter: parameter.name),
          tolerance: 2.5 * tested.cell.tolerance, scale: 1,
          "gradient of \(parameter.name), shard \(shard)")
      }
    }
    for (index, gradient) in tested.model.states.map(\.gradient).enumerated() where gradient.columns > 0 {
      for lane in 0..<shape.lanes {
        expectAgreement(
          ModelUnderTest.row(lane, of: gradient), objective.gradient(ofLane: lane, enteringState: index),
          tolerance: 2.5 * tested.cell.tolerance, scale: 1,
          "gradient of \(tested.model.states[index].name), lane \(lane)")
      }
    }
  }
}

/// All pairs of both.
func product<A, B>(_ a: [A], _ b: [B]) -> [(A, B)] { a.flatMap { a in b.map { (a, $0) } } }
