import Chunks
import Core
import Glibc
import Testing

/// What a model promises besides its equations.
@Suite struct ModelTests {
  static let shape = ChunkShape(steps: 5, shards: 2, lanesPerShard: 2)

  private func model(
    _ cell: LayerUnderTest = LayerUnderTest.all[2], vocabulary: Int = 9,
    configure: (inout ModelConfiguration) -> Void = { _ in }
  ) -> ModelUnderTest {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding) = (6, 4)
    configure(&configuration)
    let tested = ModelUnderTest(cell, configuration, vocabulary: vocabulary, shape: Self.shape)
    tested.randomizeStates()
    return tested
  }

  private func data(weight: (Int, Int) -> Float = { _, _ in 1 }) -> ChunkData {
    ChunkData(steps: 5, lanes: 4, vocabulary: 9, weight: weight)
  }

  @Test(arguments: LayerUnderTest.all, [false, true])
  func `the loss is the same with and without gradients`(_ cell: LayerUnderTest, tied: Bool) {
    let (trained, evaluated) = (
      model(cell) { ($0.tied, $0.embedding) = (tied, tied ? 6 : 4) },
      model(cell) { ($0.tied, $0.embedding) = (tied, tied ? 6 : 4) }
    )
    let data = data()
    trained.train(data)
    evaluated.evaluate(data)
    #expect(Array(trained.model.losses) == Array(evaluated.model.losses))
    #expect(trained.states == evaluated.states)
    for gradients in evaluated.memory.gradients {
      #expect(evaluated.vector(gradients).allSatisfy { $0 == 0 })
    }
    for gradients in trained.memory.gradients {
      #expect(trained.vector(gradients).contains { $0 != 0 })
    }
  }

  @Test func `predictions are the logits of the losses`() {
    let tested = model()
    let data = data()
    tested.evaluate(data)
    tested.randomizeStates()
    let logits = data.withChunk { tested.model.predict($0) }
    #expect(logits.rows == 4 && logits.columns == 9)
    for lane in 0..<4 {
      let row = Vector(ModelUnderTest.row(lane, of: logits))
      let target = data.lane(lane).targets[4]
      let position = 4 * 4 + lane
      let loss = log(row.map { exp($0) }.sum) - row.elements[target]
      #expect(abs(loss - tested.model.losses[position]) < 1e-5)
      let prediction = Int(tested.model.predictions[position])
      #expect(row.elements[prediction] == row.elements.max())
    }
  }

  @Test(arguments: [false, true])
  func `a piece is finished when nothing is added to it any more`(tied: Bool) {
    let tested = model {
      ($0.tied, $0.embedding, $0.hidden, $0.layers, $0.layerNorm) = (tied, tied ? 40 : 4, 40, 3, true)
    }
    let layout = tested.memory.layout
    #expect(layout.pieces.count > 2)
    func gradients(_ piece: Int) -> [UInt32] {
      tested.memory.gradients.flatMap { bits(tested.vector($0)[layout.pieces[piece]]) }
    }
    var finished: [(piece: Int, gradients: [UInt32])] = []
    let data = data()
    tested.train(data) { finished.append(($0, gradients($0))) }
    #expect(finished.map(\.piece) == Array(layout.pieces.indices))
    for (piece, values) in finished {
      #expect(values == gradients(piece), "piece \(piece)")
      #expect(values.contains { $0 != 0 })
    }
  }

  @Test func `a list of kinds is repeated over the layers`() {
    var configuration = ModelConfiguration()
    (configuration.cell, configuration.layers) = (["gru", "lstm"], 3)
    let layout = layout(configuration, vocabulary: 9)
    let gates = (0..<3).map { (layout["rnn.weight_hh_l\($0)"]?.shape[0] ?? 0) / configuration.hidden }
    #expect(gates == [3, 4, 3])
  }

  @Test func `states can be cleared and carried by hand`() {
    let (tested, other) = (model(), model())
    let data = data()
    tested.evaluate(data)
    // A second model goes on where the first one stands.
    for (from, to) in zip(tested.model.states, other.model.states) {
      #expect(from.name == to.name)
      to.values.base.update(from: from.values.base, count: from.values.count)
    }
    tested.evaluate(data)
    other.evaluate(data)
    #expect(Array(tested.model.losses) == Array(other.model.losses))
    tested.model.clearStates()
    #expect(tested.states.allSatisfy { $0.allSatisfy { $0 == .zero(6) } })
  }

  @Test func `dropout drops in training only, and other values in every chunk`() {
    func losses(_ number: UInt32, seed: UInt64?) -> [Double] {
      var configuration = ModelConfiguration()
      (configuration.hidden, configuration.embedding, configuration.dropout) = (6, 4, 0.5)
      let tested = ModelUnderTest(
        LayerUnderTest.all[2], configuration, vocabulary: 9, shape: Self.shape, dropoutSeed: seed)
      let data = data()
      tested.train(data, number)
      return Array(tested.model.losses)
    }
    #expect(losses(0, seed: 1) == losses(0, seed: 1))
    #expect(losses(0, seed: 1) != losses(1, seed: 1))
    #expect(losses(0, seed: 1) != losses(0, seed: 2))
    #expect(losses(0, seed: nil) != losses(0, seed: 1))
    #expect(losses(0, seed: nil) == losses(1, seed: nil))
  }

  @Test func `the first value that is not finite is named`() {
    let data = data()
    let tested = model()
    tested.train(data)
    #expect(tested.model.firstNonFinite() == nil)

    tested.model.states[2].values[3][5] = .infinity
    tested.train(data)
    expectNonFinite(tested, "rnn.h_l1", lane: 3)
    tested.model.clearStates()
    tested.train(data)
    #expect(tested.model.firstNonFinite() == nil)

    let weighted = self.data(weight: { t, lane in t == 2 && lane == 1 ? .nan : 1 })
    tested.train(weighted)
    expectNonFinite(tested, "head", lane: 1)

    tested.memory.weights[tested.memory.layout.parameters[0].offset] = .nan
    tested.train(data)
    expectNonFinite(tested, "head.weight", lane: nil)
  }

  private func expectNonFinite(_ tested: ModelUnderTest, _ name: String, lane: Int?) {
    let found = tested.model.firstNonFinite()
    #expect(found?.name == name && found?.lane == lane, "found \(String(describing: found))")
  }

  @Test func `a large vocabulary, whose logits are computed in blocks, agrees with the equations`() {
    // Ten million logits: more than the head holds at once.
    let (steps, lanes, vocabulary) = (12, 8, 110_000)
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (4, 3, 1)
    let tested = ModelUnderTest(
      LayerUnderTest.all[2], configuration, vocabulary: vocabulary,
      shape: ChunkShape(steps: steps, shards: 1, lanesPerShard: lanes))
    let data = ChunkData(steps: steps, lanes: lanes, vocabulary: vocabulary)
    tested.train(data)
    let reference = tested.reference
    let zero = Vector.zero(4)
    let lane = data.lane(2)
    let expected = reference.run(lane, entering: [zero, zero])
    for t in 0..<steps {
      #expect(abs(tested.model.losses[t * lanes + 2] - expected.losses[t]) < 1e-5, "step \(t)")
    }
    // The gradient of the logits sums to zero over the vocabulary, and to -1 over the targets' own part.
    let bias = tested.memory.layout.parameters.first { $0.name == "head.bias" }
    let gradient = bias.map { tested.values($0, in: tested.memory.gradients[0]) } ?? []
    #expect(abs(Vector(gradient).sum) < 1e-2)
    #expect(abs(gradient.reduce(0) { $0 + Double(min($1, 0)) } + Double(steps * lanes)) < 0.5)
  }

  /// Shards of one lane have all their logits in one block, one shard of all lanes has not.
  @Test func `blocks of logits give what all at once give`() {
    let (steps, lanes, vocabulary) = (12, 8, 110_000)
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (4, 3, 1)
    func trained(shards: Int, trees: [Range<Int>]) -> ModelUnderTest {
      let tested = ModelUnderTest(
        LayerUnderTest.all[2], configuration, vocabulary: vocabulary,
        shape: ChunkShape(steps: steps, shards: shards, lanesPerShard: lanes / shards), trees: trees)
      tested.train(
        ChunkData(
          steps: steps, lanes: lanes, vocabulary: vocabulary,
          weight: { t, lane in t % 5 == 0 ? 0 : Float(t + lane) }))
      return tested
    }
    let (blocks, whole) = (trained(shards: 1, trees: [0..<1]), trained(shards: lanes, trees: [0..<lanes]))
    #expect(Array(blocks.model.losses) == Array(whole.model.losses))
    for parameter in blocks.memory.layout.parameters {
      expectAgreement(
        blocks.values(parameter, in: blocks.memory.gradients[0]),
        whole.values(parameter, in: whole.memory.gradients[0]).map(Double.init), tolerance: 1e-5,
        "gradient of \(parameter.name)")
    }
  }
}
