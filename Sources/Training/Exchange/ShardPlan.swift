import Core
import MPI

/// Which shards belong to which rank: contiguous ranges, as even as can be. Those of a host are contiguous too, as
/// its ranks are.
package struct ShardPlan: Equatable {
  package let shards: Int
  package let hosts: Hosts

  package init(shards: Int, hosts: Hosts) {
    self.shards = shards
    self.hosts = hosts
  }

  /// The shards of a rank. Every rank has at least one where there are no more ranks than shards.
  package func shards(of rank: Int) -> Range<Int> {
    RankBlocks.evenPart(of: shards, rank: rank, ranks: hosts.rankCount)
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

  /// The subtrees that the ranks of a host sum together. It sends as many vectors of gradients.
  package func subtrees(ofHost host: Int) -> [Range<Int>] {
    let ranks = hosts.ranks[host]
    guard let last = ranks.last else { return [] }
    return ShardTree.subtrees(
      within: shards(of: ranks.lowerBound).lowerBound..<shards(of: last).upperBound, of: 0..<shards)
  }

  /// How the subtrees of a host come of those of its ranks, which are numbered in ascending order: the additions, and where
  /// each sum is left.
  package func sums(ofHost host: Int) -> (additions: [(left: Int, right: Int)], places: [Int]) {
    let leaves = hosts.ranks[host].flatMap(subtrees(of:))
    var additions: [(left: Int, right: Int)] = []
    var places: [Int] = []
    var first = 0
    for tree in subtrees(ofHost: host) {
      let own = leaves.filter { tree.contains($0.lowerBound) }
      additions += ShardTree.additions(over: tree, leaves: own).map { ($0.left + first, $0.right + first) }
      places.append(first)
      first += own.count
    }
    return (additions, places)
  }

  /// The additions that finish the tree from the subtrees of all hosts, in ascending order.
  package var additions: [(left: Int, right: Int)] {
    ShardTree.additions(over: 0..<shards, leaves: hosts.ranks.indices.flatMap(subtrees(ofHost:)))
  }
}
