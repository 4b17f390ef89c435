import MPI

/// The order in which the gradients of shards are summed: one binary tree over all shards, whoever computed them.
///
/// The tree of shards lo..<hi splits them at the largest power of two below their number, and is the sum of the
/// left tree and the right one. A rank that owns some shards sums the largest subtrees that lie wholly within its
/// range; what remains of the tree is the same for any number of ranks.
package enum ShardTree {
  /// The first shard of the right subtree of lo..<hi.
  static func middle(of shards: Range<Int>) -> Int {
    precondition(shards.count > 1, "a leaf has no subtrees")
    var half = 1
    while half * 2 < shards.count { half *= 2 }
    return shards.lowerBound + half
  }

  /// The largest subtrees of the tree over `all` that lie wholly within `own`, in ascending order.
  package static func subtrees(within own: Range<Int>, of all: Range<Int>) -> [Range<Int>] {
    if own.isEmpty || own.upperBound <= all.lowerBound || all.upperBound <= own.lowerBound { return [] }
    if own.lowerBound <= all.lowerBound && all.upperBound <= own.upperBound { return [all] }
    let middle = middle(of: all)
    return subtrees(within: own, of: all.lowerBound..<middle)
      + subtrees(within: own, of: middle..<all.upperBound)
  }

  /// Calls `add(left, right)` for every addition of the tree over `shards` that has the trees of `leaves` as its leaves,
  /// operands before sums. A tree is named by its first leaf's index; the sum of left and right is left afterwards.
  package static func additions(over shards: Range<Int>, leaves: [Range<Int>]) -> [(left: Int, right: Int)] {
    var additions: [(left: Int, right: Int)] = []
    @discardableResult
    func visit(_ shards: Range<Int>) -> Int {
      if let leaf = leaves.firstIndex(of: shards) { return leaf }
      let middle = middle(of: shards)
      let left = visit(shards.lowerBound..<middle)
      let right = visit(middle..<shards.upperBound)
      additions.append((left, right))
      return left
    }
    visit(shards)
    return additions
  }
}

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
}
