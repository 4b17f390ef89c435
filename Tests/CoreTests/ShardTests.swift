import Chunks
import Core
import Testing

/// What a shard computes does not depend on which shards share its rank.
@Suite struct ShardTests {
  /// What a model computed in a chunk for one of its shards, by name: positions' losses, outputs, and gradients.
  private func results(_ tested: ModelUnderTest, shard: Int) -> [(name: String, bits: [UInt64])] {
    let shape = tested.model.shape
    let lanes = shard * shape.lanesPerShard..<(shard + 1) * shape.lanesPerShard
    let rows = (0..<shape.steps).flatMap { t in lanes.map { t * shape.lanes + $0 } }
    let hidden = rows.flatMap { ModelUnderTest.row($0, of: tested.model.hidden) }
    return [
      ("losses", rows.map { tested.model.losses[$0].bitPattern }),
      ("outputs", bits(hidden).map(UInt64.init)),
    ]
      + tested.memory.layout.parameters.map {
        (
          "gradient of " + $0.name,
          bits(tested.values($0, in: tested.memory.gradients[shard])).map(UInt64.init)
        )
      }
  }

  /// Trains `chunks` chunks with all shards in one model, then with one model for each.
  private func expectSameBits(
    _ cell: LayerUnderTest, _ configuration: ModelConfiguration, vocabulary: Int, conditions: Int = 0,
    shape: ChunkShape,
    arithmetic: Arithmetic, chunks: UInt32
  ) {
    let perShard = shape.lanesPerShard
    func model(shards: Int, firstLane: Int) -> ModelUnderTest {
      let shape = ChunkShape(steps: shape.steps, shards: shards, lanesPerShard: perShard)
      return ModelUnderTest(
        cell, configuration, vocabulary: vocabulary, conditions: conditions, shape: shape,
        arithmetic: arithmetic,
        firstLane: firstLane)
    }
    let together = model(shards: shape.shards, firstLane: 0)
    let alone = (0..<shape.shards).map { model(shards: 1, firstLane: $0 * perShard) }
    for number in 0..<chunks {
      let data = ChunkData(
        steps: shape.steps, lanes: shape.lanes, vocabulary: vocabulary, conditions: conditions,
        seed: UInt64(number),
        isReset: { t, lane in (t + lane) % 11 == 0 })
      together.train(data, number)
      for (shard, tested) in alone.enumerated() {
        let part = data.part(steps: 0..<shape.steps, lanes: shard * perShard..<(shard + 1) * perShard)
        tested.train(part, number)
        for (found, expected) in zip(results(together, shard: shard), results(tested, shard: 0)) {
          // Thousands of numbers would be no message.
          let differing = zip(found.bits, expected.bits).count { $0 != $1 }
          #expect(
            differing == 0,
            "\(expected.name) of shard \(shard), chunk \(number), \(expected.bits.count) values")
          #expect(expected.bits.contains { $0 != 0 }, "\(expected.name)")
        }
      }
    }
  }

  @Test(arguments: LayerUnderTest.all, Arithmetic.all)
  func `four shards in one model give the bits of four models`(
    _ cell: LayerUnderTest, _ arithmetic: Arithmetic
  ) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (20, 9, 2)
    (configuration.layerNorm, configuration.dropout, configuration.initialState) = (true, 0.3, .learnt)
    // More positions in a shard than one block of a product sums.
    expectSameBits(
      cell, configuration, vocabulary: 50, shape: ChunkShape(steps: 100, shards: 4, lanesPerShard: 3),
      arithmetic: arithmetic, chunks: 2)
  }

  @Test(arguments: Arithmetic.all)
  func `blocks in both directions too`(_ arithmetic: Arithmetic) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (20, 40, 2)
    (configuration.bidirectional, configuration.residual, configuration.mlp) = (true, true, 1)
    (configuration.mlpKind, configuration.norm, configuration.outputLayers) = (.gated, .rms, 1)
    (configuration.transitionLayers, configuration.variationalDropout.recurrent) = (1, 0.2)
    expectSameBits(
      LayerUnderTest.all[3], configuration, vocabulary: 50, conditions: 3,
      shape: ChunkShape(steps: 30, shards: 4, lanesPerShard: 3), arithmetic: arithmetic, chunks: 2)
  }

  @Test(arguments: Arithmetic.all)
  func `wide models too`(_ arithmetic: Arithmetic) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (280, 70, 1)
    expectSameBits(
      LayerUnderTest.all[2], configuration, vocabulary: 300,
      shape: ChunkShape(steps: 6, shards: 3, lanesPerShard: 5), arithmetic: arithmetic, chunks: 2)
  }
}
