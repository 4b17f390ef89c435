import Chunks
import Core
import Testing

/// The gradients of a rank's shards are summed as they are computed; the sums are those of a vector for each shard.
@Suite struct GradientSumTests {
  private static let variants: [(vocabulary: Int, configure: @Sendable (inout ModelConfiguration) -> Void)] =
    [
      (7, { $0.layerNorm = true }),
      (7, { ($0.tied, $0.embedding, $0.initialState) = (true, $0.hidden, .learnt) }),
    ]

  private func model(
    _ configuration: ModelConfiguration, vocabulary: Int, shape: ChunkShape, trees: [Range<Int>],
    firstLane: Int,
    arithmetic: Arithmetic = .float32
  ) -> ModelUnderTest {
    ModelUnderTest(
      LayerUnderTest.all[0], configuration, vocabulary: vocabulary, shape: shape, trees: trees,
      arithmetic: arithmetic, firstLane: firstLane)
  }

  /// The sum by its definition: of the tree of the largest power of two of shards below their number, and the rest.
  private func treeSum(_ vectors: [UnsafeMutablePointer<Float>], _ shards: Range<Int>, _ index: Int) -> Float
  {
    guard shards.count > 1 else { return vectors[shards.lowerBound][index] }
    var left = 1
    while 2 * left < shards.count { left *= 2 }
    let middle = shards.lowerBound + left
    return treeSum(vectors, shards.lowerBound..<middle, index)
      + treeSum(vectors, middle..<shards.upperBound, index)
  }

  /// Trains on a chunk with a vector for each of `shards`, and with the trees within each of `parts` of them.
  private func expectTreeSums(
    _ configuration: ModelConfiguration, vocabulary: Int, shards: Int, parts: [Range<Int>],
    steps: Int = 3, lanes: Int = 2, arithmetic: Arithmetic = .float32
  ) {
    let data = ChunkData(
      steps: steps, lanes: shards * lanes, vocabulary: vocabulary, isReset: { t, lane in (t + lane) % 3 == 0 }
    )
    let apart = model(
      configuration, vocabulary: vocabulary,
      shape: ChunkShape(steps: steps, shards: shards, lanesPerShard: lanes),
      trees: (0..<shards).map { $0..<$0 + 1 }, firstLane: 0, arithmetic: arithmetic)
    apart.train(data)
    for part in parts {
      let subtrees = ShardTree.subtrees(within: part, of: 0..<shards)
      let summed = model(
        configuration, vocabulary: vocabulary,
        shape: ChunkShape(steps: steps, shards: part.count, lanesPerShard: lanes),
        trees: subtrees.map { $0.lowerBound - part.lowerBound..<$0.upperBound - part.lowerBound },
        firstLane: part.lowerBound * lanes, arithmetic: arithmetic)
      summed.train(data.part(steps: 0..<steps, lanes: part.lowerBound * lanes..<part.upperBound * lanes))
      for (subtree, sums) in zip(subtrees, summed.memory.gradients) {
        let differing = (0..<summed.memory.layout.count).count {
          sums[$0].bitPattern != treeSum(apart.memory.gradients, subtree, $0).bitPattern
        }
        #expect(differing == 0, "shards \(subtree) of \(shards), with \(part) on the rank")
      }
    }
  }

  @Test(arguments: 1...17) func `every range of shards has the sums of its trees`(shards: Int) {
    let parts = (0..<shards).flatMap { first in (first + 1...shards).map { first..<$0 } }
    for variant in Self.variants {
      var configuration = ModelConfiguration()
      (configuration.hidden, configuration.embedding, configuration.layers) = (5, 4, 1)
      variant.configure(&configuration)
      expectTreeSums(configuration, vocabulary: variant.vocabulary, shards: shards, parts: parts)
    }
  }

  @Test(arguments: Arithmetic.all) func `parameters of several blocks too`(_ arithmetic: Arithmetic) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (300, 130, 1)
    expectTreeSums(configuration, vocabulary: 700, shards: 7, parts: [0..<7, 1..<6], arithmetic: arithmetic)
  }

  @Test(arguments: Arithmetic.all)
  func `shards of more positions than a product sums at once too`(_ arithmetic: Arithmetic) {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (5, 4, 1)
    expectTreeSums(
      configuration, vocabulary: 7, shards: 7, parts: [0..<7, 1..<6], steps: 300, arithmetic: arithmetic)
  }

  @Test func `a head whose logits are computed in blocks too`() {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (4, 3, 1)
    expectTreeSums(
      configuration, vocabulary: 110_000, shards: 3, parts: [0..<3, 1..<3], steps: 12, lanes: 8)
  }

  @Test func `gradients take no memory for each shard`() {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding, configuration.layers) = (512, 512, 2)
    let layout = CoreTests.layout(configuration, vocabulary: 600)
    let vector = layout.count * MemoryLayout<Float>.stride
    // Fewer positions than tokens: the tables of all shards together have a row for each.
    func bytes(shards: Int) -> Int {
      MemoryMeasurement.peakBytes {
        Model(
          configuration, tracks: .language(vocabulary: 600),
          memory: ParameterMemory(layout: layout, trees: [0..<shards]),
          shape: ChunkShape(steps: 8, shards: shards, lanesPerShard: 64 / shards), precision: .float32)
      }
    }
    // Of the weights and one vector of gradients. The sums that wait for each other are of blocks, as many as doublings.
    #expect(bytes(shards: 1) > 2 * vector)
    #expect(bytes(shards: 64) - bytes(shards: 1) < vector)
  }
}
