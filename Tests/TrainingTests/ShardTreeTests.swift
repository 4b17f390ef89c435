import Core
import Testing
import Training

@Suite struct ShardTreeTests {
  /// A tree over shards, to be compared.
  private indirect enum Tree: Equatable {
    case shard(Int)
    case sum(Tree, Tree)

    /// By the definition: split at the largest power of two below the number of shards.
    init(_ shards: Range<Int>) {
      guard shards.count > 1 else {
        self = .shard(shards.lowerBound)
        return
      }
      var left = 1
      while 2 * left < shards.count { left *= 2 }
      let middle = shards.lowerBound + left
      self = .sum(Tree(shards.lowerBound..<middle), Tree(middle..<shards.upperBound))
    }

    /// What is left in the first of `leaves` after these additions.
    static func adding(_ additions: [(left: Int, right: Int)], _ leaves: [Tree]) -> Tree {
      var trees = leaves
      for (left, right) in additions { trees[left] = .sum(trees[left], trees[right]) }
      return trees[0]
    }
  }

  static let plans = (1...17).flatMap { shards in
    (1...shards).map { ShardPlan(shards: shards, ranks: $0) }
  }

  @Test func ranksHaveContiguousEvenRangesThatCoverAllShards() {
    for plan in Self.plans {
      let ranges = (0..<plan.ranks).map(plan.shards(of:))
      #expect(Array(ranges.joined()) == Array(0..<plan.shards))
      let counts = ranges.map(\.count)
      #expect((counts.min() ?? 0) >= 1 && (counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(plan)")
    }
  }

  @Test func subtreesOfAllRanksCoverEachShardOnce() {
    for plan in Self.plans {
      #expect(Array(plan.subtrees.joined()) == Array(0..<plan.shards), "\(plan)")
      for rank in 0..<plan.ranks {
        #expect(Array(plan.subtrees(of: rank).joined()) == Array(plan.shards(of: rank)), "\(plan)")
      }
    }
  }

  /// Each rank sums within its shards, then the rest of the tree: together it is the tree of the definition.
  @Test func additionsMakeTheSameTreeForAnyNumberOfRanks() {
    for plan in Self.plans {
      let sums = (0..<plan.ranks).flatMap { rank in
        let shards = plan.shards(of: rank)
        return plan.subtrees(of: rank).map { subtree in
          Tree.adding(
            ShardTree.additions(over: subtree, leaves: subtree.map { $0..<$0 + 1 }),
            subtree.clamped(to: shards).map { Tree.shard($0) })
        }
      }
      let additions = ShardTree.additions(over: 0..<plan.shards, leaves: plan.subtrees)
      #expect(Tree.adding(additions, sums) == Tree(0..<plan.shards), "\(plan)")
      #expect(additions.count == plan.subtrees.count - 1)
    }
  }

  @Test func fiveAndThirteenShardsAreCutAsWrittenOut() {
    let additions = ShardTree.additions(over: 0..<5, leaves: (0..<5).map { $0..<$0 + 1 })
    #expect(additions.map { [$0.left, $0.right] } == [[0, 1], [2, 3], [0, 2], [0, 4]])
    #expect(ShardTree.subtrees(within: 4..<9, of: 0..<13) == [4..<8, 8..<9])
    #expect(ShardTree.subtrees(within: 1..<4, of: 0..<5) == [1..<2, 2..<4])
  }

  /// Ranks may be more than blocks: some own nothing.
  @Test func everyElementIsOwnedOnceInWholeBlocks() {
    let layouts = [(4, 5), (40, 70), (96, 300)].map { hidden, vocabulary in
      var model = ModelConfiguration()
      (model.embedding, model.hidden) = (hidden, hidden)
      return Blueprint(model, tracks: .language(vocabulary: vocabulary)).layout
    }
    for layout in layouts {
      for ranks in 1...17 {
        let ownership = Ownership(layout, ranks: ranks)
        for (index, piece) in layout.pieces.enumerated() {
          let ranges = (0..<ranks).map { ownership.range(of: $0, piece: index) }
          #expect(ranges.first?.lowerBound == piece.lowerBound && ranges.last?.upperBound == piece.upperBound)
          #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
          #expect(ranges.allSatisfy { $0.lowerBound % ParameterLayout.alignment == 0 })
          #expect(ownership.counts(ofPiece: index) == ranges.map(\.count))
        }
        let all = (0..<ranks).flatMap(ownership.ranges(of:)).reduce(0) { $0 + $1.count }
        #expect(all == layout.count)
      }
    }
  }
}

extension ShardPlan {
  /// The subtrees that each rank sums by itself, of all ranks in ascending order.
  fileprivate var subtrees: [Range<Int>] { (0..<ranks).flatMap(subtrees(of:)) }
}
