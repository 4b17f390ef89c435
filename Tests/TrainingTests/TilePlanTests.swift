import Chunks
import MPI
import Testing
import Training

@Suite struct TilePlanTests {
  private func plan(shards: Int, blocks: Int, lanesPerShard: Int, ranks: Int) -> TilePlan {
    var training = TrainingConfiguration()
    (training.shards, training.timeBlocks) = (shards, blocks)
    training.lanes = shards * lanesPerShard
    return TilePlan(training, chunk: 12 * blocks, hosts: Hosts(ranks: [ranks]))
  }

  @Test func `the tiles of all ranks are all blocks of all lanes, once each and in order`() {
    for (shards, blocks) in [(1, 1), (3, 1), (1, 8), (2, 3), (5, 4)] {
      for ranks in 1...shards * blocks {
        let plan = plan(shards: shards, blocks: blocks, lanesPerShard: 2, ranks: ranks)
        let all = (0..<ranks).map(plan.tiles(of:))
        let positions = all.joined().flatMap { tile in
          tile.lanes.flatMap { lane in tile.steps.map { "\(lane) \($0)" } }
        }
        #expect(positions.count == shards * 2 * 12 * blocks && Set(positions).count == positions.count)
        for (rank, tiles) in all.enumerated() {
          #expect(tiles.flatMap { Array($0.columns) } == Array(0..<plan.columns(of: rank)))
          #expect(tiles.filter(\.isFirst).flatMap { Array($0.lanes) } == Array(plan.lanesBegun(on: rank)))
          guard blocks > 1 else { continue }
          #expect(tiles.map(\.number) == Array(plan.leaves.shards(of: rank)))
          for tile in tiles {
            #expect(RankBlocks.rank(of: tile.number, count: shards * blocks, ranks: ranks) == rank)
            #expect(tile.isFirst == (tile.steps.lowerBound == 0))
            #expect(tile.isLast == (tile.steps.upperBound == 12 * blocks))
          }
        }
        #expect((0..<ranks).flatMap { Array(plan.lanesBegun(on: $0)) } == Array(0..<2 * shards))
      }
    }
  }

  @Test func `a rank of one block has an eighth of what a rank of all eight has`() {
    let (alone, eight) = (
      plan(shards: 1, blocks: 8, lanesPerShard: 3, ranks: 1),
      plan(shards: 1, blocks: 8, lanesPerShard: 3, ranks: 8)
    )
    #expect(alone.steps == 12 && alone.columns(of: 0) == 24)
    #expect((0..<8).map(eight.columns(of:)) == [Int](repeating: 3, count: 8))
    #expect(eight.tiles(of: 5)[0].steps == 60..<72)
    #expect(eight.tiles(of: 5).lane(ofColumn: 2) == 2)
  }
}
