import Chunks
import Core
import Glibc
import Testing

/// The discriminator of professor forcing against its equations in Double, and what it adds to the model's gradients.
@Suite struct DiscriminatorTests {
  private static let shape = ChunkShape(steps: 6, shards: 2, lanesPerShard: 2)
  private static let prefix = "discriminator."

  private func model(_ cell: LayerUnderTest, discriminator hidden: Int = 3) -> ModelUnderTest {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (5, 4, 2)
    (configuration.dropout, configuration.initialState) = (0.2, .learnt)
    (configuration.discriminator.hidden, configuration.discriminator.weight) = (hidden, 0.7)
    return ModelUnderTest(cell, configuration, vocabulary: 7, shape: Self.shape)
  }

  private let data = ChunkData(
    steps: 5, capacity: 6, lanes: shape.lanes, vocabulary: 7,
    weight: { t, lane in lane == 3 || t == 1 ? 0 : 0.5 + Float(t + lane) / 4 },
    isReset: { t, lane in t == 2 && lane == 1 })

  /// What is differentiated: of some lanes the losses of the discriminator, and of the model where it has drawn its inputs.
  private struct Losses {
    var model: ReferenceModel
    let chunks: [LaneChunk]
    let entering: [[Vector]]
    let isDrawn: Bool

    /// z, and the weight of the lane's targets.
    private func score(_ lane: Int) -> (z: Double, weight: Double) {
      let hidden = model.run(chunks[lane], entering: entering[lane]).hidden
      var configuration = ModelConfiguration()
      (configuration.hidden, configuration.bidirectional) = (model.configuration.discriminator.hidden, true)
      let own = model.parameters.filter { $0.key.hasPrefix(prefix) }.map {
        (String($0.key.dropFirst(prefix.count)), $0.value)
      }
      let layer = ReferenceCell.gru.layer
      let discriminator = ReferenceModel(
        configuration: configuration, layers: [layer], parameters: Dictionary(uniqueKeysWithValues: own))
      var states = [Vector.zero(configuration.hidden)]
      let g = layer.run(
        hidden, chunks[lane], &states, ReferenceLayer.Context(model: discriminator, index: 0))
      let scores = g.map {
        (discriminator["score.weight"] * $0 + discriminator["score.bias"].vector).elements[0]
      }
      let weight = chunks[lane].weights.reduce(0, +)
      let sum = zip(scores, chunks[lane].weights).reduce(0) { $0 + $1.0 * $1.1 }
      return (weight > 0 ? sum / weight : 0, weight)
    }

    /// -log p of the true inputs, -log(1 - p) of drawn ones.
    func ofDiscriminator(_ lane: Int) -> Double {
      let (z, weight) = score(lane)
      return weight * log1p(exp(isDrawn ? z : -z))
    }

    /// -0.7 log p of drawn inputs.
    func ofModel(_ lane: Int) -> Double {
      let (z, weight) = score(lane)
      return isDrawn ? 0.7 * weight * log1p(exp(-z)) : 0
    }

    func gradient(_ name: String, lanes: Range<Int>) -> [Double] {
      var moved = self
      return (model.parameters[name]?.elements ?? []).indices.map { index in
        let old = model[name].elements[index]
        func value(_ step: Double) -> Double {
          moved.model.parameters[name]?.elements[index] = old + step
          return lanes.reduce(0) {
            $0 + (name.hasPrefix(prefix) ? moved.ofDiscriminator($1) : moved.ofModel($1))
          }
        }
        defer { moved.model.parameters[name]?.elements[index] = old }
        return (value(1e-5) - value(-1e-5)) / 2e-5
      }
    }
  }

  private func losses(_ tested: ModelUnderTest, isDrawn: Bool) -> Losses {
    // Those of the discriminator stand behind the model's, and nothing of them enters.
    let count = tested.states[0].count - 1
    return Losses(
      model: tested.reference, chunks: (0..<Self.shape.lanes).map { data.lane($0, 9) },
      entering: tested.states.map { Array($0.prefix(count)) }, isDrawn: isDrawn)
  }

  private func expectGradients(_ tested: ModelUnderTest, _ losses: Losses, of names: (String) -> Bool) {
    for parameter in tested.memory.layout.parameters where names(parameter.name) {
      for shard in 0..<Self.shape.shards {
        expectAgreement(
          tested.values(parameter, in: tested.memory.gradients[shard]),
          losses.gradient(parameter.name, lanes: 2 * shard..<2 * shard + 2), tolerance: 1e-5, scale: 1,
          "gradient of \(parameter.name), shard \(shard)")
      }
    }
  }

  @Test(
    arguments: LayerUnderTest.all.filter {
      ["lstm", "gru", "mingru", "attention"].contains($0.testDescription)
    })
  func `each side has the gradient of its loss`(_ cell: LayerUnderTest) throws {
    let tested = model(cell)
    tested.randomizeStates()
    let entering = tested.model.states.map { (state: CarriedState) in
      Array(UnsafeBufferPointer(start: state.values.base, count: state.values.count))
    }
    let (drawn, truth) = (losses(tested, isDrawn: true), losses(tested, isDrawn: false))
    tested.clearGradients()
    data.withChunk(9) { tested.model.trainOnDrawnInputs($0) }
    expectGradients(tested, drawn) { _ in true }

    for (state, values) in zip(tested.model.states, entering) {
      state.values.base.update(from: values, count: values.count)
    }
    tested.clearGradients()
    tested.train(data, 9)
    expectGradients(tested, truth) { $0.hasPrefix(Self.prefix) }
    let discriminator = try #require(tested.model.discriminator)
    for lane in 0..<Self.shape.lanes {
      let found = discriminator.losses(lane: lane)
      #expect(abs(found.own - truth.ofDiscriminator(lane) - drawn.ofDiscriminator(lane)) < 1e-5)
      #expect(abs(found.model - drawn.ofModel(lane)) < 1e-5)
    }
    #expect(discriminator.losses(lane: 0).model > 0 && discriminator.losses(lane: 3).own == 0)
  }

  @Test func `true inputs give the model the gradients that it has without a discriminator`() throws {
    let cell = try #require(LayerUnderTest.all.first { $0.testDescription == "lstm" })
    let (with, without) = (model(cell), model(cell, discriminator: 0))
    for parameter in without.memory.layout.parameters {
      let same = try #require(with.memory.layout[parameter.name])
      without.set(parameter, to: with.values(same, in: with.memory.weights))
    }
    for tested in [with, without] {
      tested.model.prepareWeights()
      tested.clearGradients()
      tested.train(data, 9)
    }
    for parameter in without.memory.layout.parameters {
      let same = try #require(with.memory.layout[parameter.name])
      for shard in 0..<Self.shape.shards {
        #expect(
          with.values(same, in: with.memory.gradients[shard])
            == without.values(parameter, in: without.memory.gradients[shard]), "\(parameter.name)")
      }
    }
  }

  @Test func `only training has it`() {
    var configuration = ModelConfiguration()
    configuration.discriminator.hidden = 2
    let tracks = TrackSet.language(vocabulary: 3)
    let memory = ParameterMemory(layout: Blueprint(configuration, tracks: tracks).layout, shards: 1)
    func model(_ seed: UInt64?) -> Model {
      Model(
        configuration, tracks: tracks, memory: memory,
        shape: ChunkShape(steps: 1, shards: 1, lanesPerShard: 1),
        precision: .float32, dropoutSeed: seed)
    }
    #expect(memory.layout["discriminator.score.weight"] != nil)
    #expect(model(1).discriminator != nil && model(nil).discriminator == nil)
    #expect(model(nil).states.count == 4)
  }
}
