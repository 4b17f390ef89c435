import Core
import MPI

/// Which shards belong to which rank: contiguous ranges, as even as can be.
package struct ShardPlan: Equatable {
  package let shards: Int
  package let ranks: Int

  package init(shards: Int, ranks: Int) {
    self.shards = shards
    self.ranks = ranks
  }

  /// The shards of a rank. Every rank has at least one where there are no more ranks than shards.
  package func shards(of rank: Int) -> Range<Int> {
    RankBlocks.evenPart(of: shards, rank: rank, ranks: ranks)
  }

  /// The subtrees that a rank sums by itself.
  package func subtrees(of rank: Int) -> [Range<Int>] {
    ShardTree.subtrees(within: shards(of: rank), of: 0..<shards)
  }

  /// The same, as the rank counts its own shards.
  package func ownSubtrees(of rank: Int) -> [Range<Int>] {
    let first = shards(of: rank).lowerBound
    return subtrees(of: rank).map { $0.lowerBound - first..<$0.upperBound - first }
  }

  /// The additions that finish the tree from the subtrees of all ranks, in ascending order.
  package var additions: [(left: Int, right: Int)] {
    ShardTree.additions(over: 0..<shards, leaves: (0..<ranks).flatMap(subtrees(of:)))
  }
}
