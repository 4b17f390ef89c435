import CKernels
import Preconditions

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

  /// Sums the tree over leaves that come one after another, each computed when the ones before it are summed as far as
  /// they can be: only the sums of complete trees wait, each larger than the next, in places numbered from 0. The sum of
  /// all is left in place 0.
  ///
  /// Calls `compute(leaf, place, false)` for every leaf, in order, and `add(place)` where the sum in a place becomes that
  /// of it and the next place's. The right one of two leaves may instead be added where the left one is, by
  /// `compute(leaf, place, true)`, if `joins(leaf)`: that saves a place and an addition.
  package static func sum(
    leaves: Int, joins: (_ leaf: Int) -> Bool = { _ in false },
    compute: (_ leaf: Int, _ place: Int, _ isJoined: Bool) -> Void, add: (_ place: Int) -> Void
  ) {
    var taken = 0
    for leaf in 0..<leaves {
      let isJoined = leaf % 2 == 1 && joins(leaf)
      compute(leaf, isJoined ? taken - 1 : taken, isJoined)
      if !isJoined { taken += 1 }
      // Complete trees are of as many leaves as the ones in the number of leaves stand for.
      let waiting = leaf + 1 == leaves ? 1 : (leaf + 1).nonzeroBitCount
      while taken > waiting {
        add(taken - 2)
        taken -= 1
      }
    }
  }

  /// The places that `sum` uses.
  package static func places(leaves: Int) -> Int { Int.bitWidth - leaves.leadingZeroBitCount }

  /// Adds trees as `additions` says, in place, in these elements of equally long vectors: the left one becomes the sum.
  package static func add(
    _ additions: [(left: Int, right: Int)], _ vectors: [UnsafeMutablePointer<Float>], elements: Range<Int>
  ) {
    // Block by block, so that a sum is still in the cache when it is an operand.
    let block = 4096
    for start in stride(from: elements.lowerBound, to: elements.upperBound, by: block) {
      let count = min(block, elements.upperBound - start)
      for (left, right) in additions {
        st_add(count, vectors[left] + start, vectors[right] + start, vectors[left] + start)
      }
    }
  }
}
