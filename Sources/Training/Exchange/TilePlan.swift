import Chunks
import Core
import MPI

/// Which tiles of a run's chunks belong to which rank. In the sums over shards each tile counts as a shard: the blocks of a
/// shard's lanes are leaves next to each other.
package struct TilePlan: Equatable {
  /// The tiles, as shards.
  package let leaves: ShardPlan
  private let lanesPerShard: Int
  private let blocks: Int
  private let chunk: Int

  /// That of a resolved configuration, for chunks of up to `chunk` steps.
  package init(_ training: TrainingConfiguration, chunk: Int, hosts: Hosts) {
    blocks = training.timeBlocks
    leaves = ShardPlan(shards: training.shards * blocks, hosts: hosts)
    lanesPerShard = training.lanes / training.shards
    self.chunk = chunk
  }

  /// The steps of a block.
  package var steps: Int { chunk / blocks }

  /// The tiles of a rank.
  package func tiles(of rank: Int) -> [Tile] {
    let own = leaves.shards(of: rank)
    guard blocks > 1 else {
      return [.whole(own.lowerBound * lanesPerShard..<own.upperBound * lanesPerShard, steps: chunk)]
    }
    return own.enumerated().map { index, number in
      let firstLane = number / blocks * lanesPerShard
      return Tile(
        number: number, of: blocks, lanes: firstLane..<firstLane + lanesPerShard, steps: steps,
        firstColumn: index * lanesPerShard)
    }
  }

  /// The lanes in a rank's arrays.
  package func columns(of rank: Int) -> Int { leaves.shards(of: rank).count * lanesPerShard }

  /// The shape of what a rank computes with.
  func shape(of rank: Int, sourceSteps: Int) -> ChunkShape {
    ChunkShape(
      steps: steps, sourceSteps: sourceSteps, shards: leaves.shards(of: rank).count,
      lanesPerShard: lanesPerShard)
  }

  /// The lanes whose first tile a rank has, where their states are between chunks.
  package func lanesBegun(on rank: Int) -> Range<Int> {
    let own = leaves.shards(of: rank)
    func firstShard(from tile: Int) -> Int { (tile + blocks - 1) / blocks }
    return firstShard(from: own.lowerBound) * lanesPerShard..<firstShard(from: own.upperBound) * lanesPerShard
  }

  /// Whether ranks pass states to each other within a chunk.
  var passesStates: Bool { blocks > 1 && leaves.hosts.rankCount > 1 }

  /// The rank of a tile.
  func rank(ofTile number: Int) -> Int {
    RankBlocks.rank(of: number, count: leaves.shards, ranks: leaves.hosts.rankCount)
  }
}
