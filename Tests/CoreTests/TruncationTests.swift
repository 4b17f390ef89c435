import Chunks
import Core
import Testing

/// Truncated backpropagation through time: states pass from chunk to chunk, gradients do not.
@Suite struct TruncationTests {
  static let steps = 4
  static let lanes = 3
  static let vocabulary = 6

  private func model(
    _ cell: LayerUnderTest, steps: Int, configure: (inout ModelConfiguration) -> Void = { _ in }
  ) -> ModelUnderTest {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding) = (5, 4)
    configure(&configuration)
    let tested = ModelUnderTest(
      cell, configuration, vocabulary: Self.vocabulary,
      shape: ChunkShape(steps: steps, shards: 1, lanesPerShard: Self.lanes))
    tested.randomizeStates()
    return tested
  }

  /// Two chunks' data in one.
  private func data(isReset: (Int, Int) -> Bool = { _, _ in false }) -> ChunkData {
    ChunkData(steps: 2 * Self.steps, lanes: Self.lanes, vocabulary: Self.vocabulary, isReset: isReset)
  }

  /// The losses of the positions of the model's last chunk, and its outputs.
  private func outputs(_ tested: ModelUnderTest) -> (losses: [Double], hidden: [UInt32]) {
    let hidden = UnsafeBufferPointer(start: tested.model.hidden.base, count: tested.model.hidden.count)
    return (Array(tested.model.losses), bits(hidden))
  }

  /// Expects the same bits, or the same values to rounding where a layer's cuts are in its bits.
  private func expectSame(
    _ cell: LayerUnderTest, _ values: [Double], _ expected: [Double], _ what: String
  ) {
    if cell.isCutExactly {
      #expect(values == expected, "\(what)")
    } else {
      expectAgreement(
        values.map { Float($0) }, expected, tolerance: cell.tolerance, scale: 1, what)
    }
  }

  private func expectSame(
    _ cell: LayerUnderTest, _ hidden: [UInt32], _ expected: [UInt32], _ what: String
  ) {
    let numbers = [hidden, expected].map { $0.map { Double(Float(bitPattern: $0)) } }
    expectSame(cell, numbers[0], numbers[1], what)
  }

  private func expectSame(_ cell: LayerUnderTest, _ states: [[Vector]], _ expected: [[Vector]]) {
    let numbers = [states, expected].map { $0.flatMap { $0.flatMap(\.elements) } }
    expectSame(cell, numbers[0], numbers[1], "states")
  }

  @Test(arguments: LayerUnderTest.all, [false, true])
  func `two chunks give the same bits as one of twice the length`(_ cell: LayerUnderTest, layerNorm: Bool) {
    let (whole, halves) = (
      model(cell, steps: 2 * Self.steps) { $0.layerNorm = layerNorm },
      model(cell, steps: Self.steps) { $0.layerNorm = layerNorm }
    )
    let data = data(isReset: { t, lane in lane == 1 && (t == 2 || t == 4) })
    whole.evaluate(data)
    var losses: [Double] = []
    var hidden: [UInt32] = []
    for first in [0, Self.steps] {
      let half = data.part(steps: first..<first + Self.steps, lanes: 0..<Self.lanes)
      halves.evaluate(half)
      losses += outputs(halves).losses
      hidden += outputs(halves).hidden
    }
    expectSame(cell, losses, outputs(whole).losses, "losses")
    expectSame(cell, hidden, outputs(whole).hidden, "outputs")
    expectSame(cell, halves.states, whole.states)
  }

  /// Over more steps than scans compute between two states that they keep.
  @Test(arguments: LayerUnderTest.all)
  func `wherever chunks are cut, outputs and states have the same bits`(_ cell: LayerUnderTest) {
    let steps = 150
    let data = ChunkData(
      steps: steps, lanes: Self.lanes, vocabulary: Self.vocabulary,
      isReset: { t, lane in t % 37 == 9 * lane })
    let (whole, pieces) = (model(cell, steps: steps), model(cell, steps: steps))
    whole.evaluate(data)
    var hidden: [UInt32] = []
    for (first, end) in [(0, 1), (1, 18), (18, 19), (19, 51), (51, 52), (52, 150)] {
      pieces.evaluate(data.part(steps: first..<end, lanes: 0..<Self.lanes, capacity: steps))
      hidden += outputs(pieces).hidden.prefix((end - first) * Self.lanes * pieces.model.hidden.columns)
    }
    expectSame(cell, hidden, outputs(whole).hidden, "outputs")
    expectSame(cell, pieces.states, whole.states)
  }

  @Test(arguments: LayerUnderTest.all)
  func `gradients end at the boundary`(_ cell: LayerUnderTest) {
    let tested = model(cell, steps: Self.steps)
    let data = data()
    var expected: [String: [Double]] = [:]
    for first in [0, Self.steps] {
      let half = data.part(steps: first..<first + Self.steps, lanes: 0..<Self.lanes)
      let objective = Objective(
        model: tested.reference, chunks: (0..<Self.lanes).map { half.lane($0) }, entering: tested.states,
        factors: Array(repeating: [], count: Self.lanes))
      for parameter in tested.memory.layout.parameters {
        let gradient = Vector(objective.gradient(ofLanes: 0..<Self.lanes, parameter: parameter.name))
        let sum = expected[parameter.name].map { Vector($0) + gradient } ?? gradient
        expected[parameter.name] = sum.elements
      }
      tested.train(half)
    }
    for parameter in tested.memory.layout.parameters {
      expectAgreement(
        tested.values(parameter, in: tested.memory.gradients[0]), expected[parameter.name] ?? [],
        tolerance: 5e-6, scale: 1, parameter.name)
    }
  }

  @Test(arguments: LayerUnderTest.all)
  func `a reset is a boundary before which a stream has ended`(_ cell: LayerUnderTest) {
    let (whole, halves) = (model(cell, steps: 2 * Self.steps), model(cell, steps: Self.steps))
    whole.train(data(isReset: { t, _ in t == Self.steps }))
    var losses: [Double] = []
    for first in [0, Self.steps] {
      let half = data().part(steps: first..<first + Self.steps, lanes: 0..<Self.lanes)
      if first > 0 { halves.model.clearStates() }
      halves.train(half)
      losses += outputs(halves).losses
    }
    expectSame(cell, losses, outputs(whole).losses, "losses")
    for parameter in whole.memory.layout.parameters {
      expectAgreement(
        whole.values(parameter, in: whole.memory.gradients[0]),
        halves.values(parameter, in: halves.memory.gradients[0]).map(Double.init), tolerance: 1e-6, scale: 1,
        parameter.name)
    }
  }

  @Test(arguments: LayerUnderTest.all)
  func `nothing is carried where every chunk begins with zero`(_ cell: LayerUnderTest) {
    let tested = model(cell, steps: Self.steps) { $0.initialState = .zero }
    let half = data().part(steps: 0..<Self.steps, lanes: 0..<Self.lanes)
    tested.evaluate(half)
    let first = outputs(tested)
    tested.randomizeStates()
    tested.evaluate(half)
    #expect(outputs(tested) == first)
  }

  @Test(arguments: LayerUnderTest.all)
  func `a chunk that is repeated from the same states gives the same bits, and twice the gradients`(
    _ cell: LayerUnderTest
  ) {
    let tested = model(cell, steps: 2 * Self.steps) {
      ($0.initialState, $0.dropout) = (.learnt, 0.5)
    }
    let data = data(isReset: { t, lane in lane == 1 && t % 3 == 0 })
    tested.randomizeStates()
    tested.train(data, 3)
    let (once, states) = (outputs(tested), tested.states)
    let gradients = tested.vector(tested.memory.gradients[0])
    tested.randomizeStates()
    tested.train(data, 3)
    #expect(outputs(tested) == once)
    #expect(tested.states == states)
    let scale = gradients.reduce(0) { max($0, abs($1)) }
    for (twice, once) in zip(tested.vector(tested.memory.gradients[0]), gradients) {
      #expect(abs(twice - 2 * once) <= 1e-6 * scale)
    }
  }
}
