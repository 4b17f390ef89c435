import Chunks
import Core
import Testing

/// A way to cut chunks for a layer that they can be cut for.
struct TimeBlockCase: Sendable, CustomTestStringConvertible {
  let cell: LayerUnderTest
  let blocks: Int

  var testDescription: String { "\(cell.testDescription) in \(blocks) blocks" }

  static let steps = 24
  static let all = product(LayerUnderTest.all, [2, 3, 8]).map(TimeBlockCase.init).filter(\.isAllowed)

  /// Whether settings would be.
  private var isAllowed: Bool {
    var configuration = ModelConfiguration()
    cell.configure(&configuration)
    let window = configuration.longestWindow?.inputs ?? 1
    return configuration.obstacleToTimeBlocks == nil && window - 1 <= Self.steps / blocks
  }
}

/// Chunks that are cut into blocks of time steps are computed as whole ones are.
@Suite struct TimeBlockTests {
  private static let vocabulary = 6

  /// Ways in which models use states, lanes and time.
  static let ways:
    [(name: String, conditions: Int, configure: @Sendable (inout ModelConfiguration) -> Void)] =
      [
        ("two layers", 0, { $0.layers = 2 }),
        ("nothing carried", 0, { ($0.layers, $0.initialState) = (2, .zero) }),
        (
          "learnt states and dropout", 0,
          {
            ($0.layers, $0.initialState, $0.dropout) = (2, .learnt, 0.3)
            $0.variationalDropout.input = 0.2
          }
        ),
        (
          "initial conditions in residual blocks", 2,
          {
            ($0.layers, $0.residual, $0.mlp, $0.embedding) = (2, true, 1, $0.hidden)
          }
        ),
      ]

  private func configuration(_ configure: (inout ModelConfiguration) -> Void) -> ModelConfiguration {
    var configuration = ModelConfiguration()
    (configuration.hidden, configuration.embedding) = (5, 4)
    configure(&configuration)
    return configuration
  }

  /// The tiles of some shards, all on one rank.
  private func tiles(shards: Int, lanesPerShard: Int, blocks: Int) -> [Tile] {
    (0..<shards * blocks).map { number in
      let first = number / blocks * lanesPerShard
      return Tile(
        number: number, of: blocks, lanes: first..<first + lanesPerShard, steps: TimeBlockCase.steps / blocks,
        firstColumn: number * lanesPerShard)
    }
  }

  /// The sum of a parameter's gradients over the shards.
  private func gradient(_ parameter: Parameter, _ tested: ModelUnderTest, shards: Range<Int>) -> [Double] {
    shards.reduce([Double](repeating: 0, count: parameter.count)) { sum, shard in
      zip(sum, tested.values(parameter, in: tested.memory.gradients[shard])).map { $0 + Double($1) }
    }
  }

  /// Three chunks, with resets in blocks, at their beginnings and their ends.
  @Test(arguments: TimeBlockCase.all, ways.indices)
  func `blocks give the bits of whole chunks, and their gradients to rounding`(
    _ way: TimeBlockCase, _ index: Int
  ) {
    let (_, conditions, configure) = Self.ways[index]
    let (shards, lanesPerShard, steps) = (2, 2, TimeBlockCase.steps)
    let configuration = configuration(configure)
    func model(_ tiles: [Tile]?) -> ModelUnderTest {
      let shape =
        tiles.map {
          ChunkShape(steps: $0[0].steps.count, shards: $0.count, lanesPerShard: lanesPerShard)
        } ?? ChunkShape(steps: steps, shards: shards, lanesPerShard: lanesPerShard)
      return ModelUnderTest(
        way.cell, configuration, vocabulary: Self.vocabulary, conditions: conditions, shape: shape,
        tiles: tiles)
    }
    let tiles = tiles(shards: shards, lanesPerShard: lanesPerShard, blocks: way.blocks)
    let (whole, cut) = (model(nil), model(tiles))
    for number in 0..<UInt32(3) {
      let data = ChunkData(
        steps: steps, lanes: shards * lanesPerShard, vocabulary: Self.vocabulary, conditions: conditions,
        seed: UInt64(number), weight: { t, lane in (t + lane) % 7 == 0 ? 0 : 1 },
        isReset: { t, lane in lane == 1 && t % 8 == 0 || lane == 2 && t % 12 == 11 || lane == 3 && t % 10 == 4
        })
      whole.train(data, number)
      cut.train(data.part(tiles: tiles), number)
      let blockSteps = steps / way.blocks
      for tile in tiles {
        for (t, (column, lane)) in product(Array(0..<blockSteps), Array(zip(tile.columns, tile.lanes))) {
          let (found, expected) = (
            cut.model.losses[t * tiles.columnCount + column],
            whole.model.losses[(tile.steps.lowerBound + t) * shards * lanesPerShard + lane]
          )
          #expect(found == expected, "step \(t) of \(tile), chunk \(number)")
        }
        guard tile.isFirst else { continue }
        for (column, lane) in zip(tile.columns, tile.lanes) {
          #expect(cut.states[column] == whole.states[lane], "the states of lane \(lane), chunk \(number)")
        }
      }
    }
    for parameter in whole.memory.layout.parameters {
      for shard in 0..<shards {
        let found = gradient(parameter, cut, shards: shard * way.blocks..<(shard + 1) * way.blocks)
        expectAgreement(
          found.map { Float($0) }, gradient(parameter, whole, shards: shard..<shard + 1),
          tolerance: 2 * way.cell.tolerance, scale: 1, "gradient of \(parameter.name), shard \(shard)")
      }
    }
  }

  @Test(arguments: TimeBlockCase.all.filter { $0.blocks == 3 })
  func `gradients through blocks agree with the equations`(_ way: TimeBlockCase) {
    let configuration = configuration { $0.layers = 1 }
    let tiles = tiles(shards: 1, lanesPerShard: 2, blocks: way.blocks)
    let tested = ModelUnderTest(
      way.cell, configuration, vocabulary: Self.vocabulary,
      shape: ChunkShape(steps: tiles[0].steps.count, shards: way.blocks, lanesPerShard: 2), tiles: tiles)
    tested.randomizeStates()
    let data = ChunkData(
      steps: TimeBlockCase.steps, lanes: 2, vocabulary: Self.vocabulary,
      isReset: { t, lane in lane == 1 && (t == 8 || t == 13) })
    let objective = Objective(
      model: tested.reference, chunks: (0..<2).map { data.lane($0) },
      entering: Array(tested.states.prefix(2)),
      factors: [[], []])
    tested.train(data.part(tiles: tiles))
    for parameter in tested.memory.layout.parameters {
      expectAgreement(
        gradient(parameter, tested, shards: 0..<way.blocks).map { Float($0) },
        objective.gradient(ofLanes: 0..<2, parameter: parameter.name), tolerance: 4 * way.cell.tolerance,
        scale: 1,
        "gradient of \(parameter.name)")
    }
  }
}
