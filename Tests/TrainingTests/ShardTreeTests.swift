import Core
import MPI
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

    /// What is left in the places of `leaves` after these additions.
    static func adding(_ additions: [(left: Int, right: Int)], _ leaves: [Tree]) -> [Tree] {
      var trees = leaves
      for (left, right) in additions { trees[left] = .sum(trees[left], trees[right]) }
      return trees
    }
  }

  /// Some numbers of ranks on hosts: all on one, each on its own, and unequal ones.
  static func hosts(ofRanks ranks: Int) -> [Hosts] {
    let most = (1...3).map { most in
      (0..<ranks).reduce(into: [Int]()) { counts, rank in
        if let last = counts.last, last < 1 + (counts.count * most) % 4 {
          counts[counts.count - 1] += 1
        } else {
          counts.append(1)
        }
      }
    }
    return ([[ranks], Array(repeating: 1, count: ranks)] + most).map { Hosts(ranks: $0) }
  }

  static let plans = (1...17).flatMap { shards in
    (1...shards).flatMap { hosts(ofRanks: $0) }.map { ShardPlan(shards: shards, hosts: $0) }
  }

  @Test func ranksHaveContiguousEvenRangesThatCoverAllShards() {
    for plan in Self.plans {
      let ranges = (0..<plan.hosts.rankCount).map(plan.shards(of:))
      #expect(Array(ranges.joined()) == Array(0..<plan.shards))
      let counts = ranges.map(\.count)
      #expect((counts.min() ?? 0) >= 1 && (counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(plan)")
    }
  }

  @Test func subtreesOfAllRanksCoverEachShardOnce() {
    for plan in Self.plans {
      #expect(Array(plan.subtrees.joined()) == Array(0..<plan.shards), "\(plan)")
      for rank in 0..<plan.hosts.rankCount {
        #expect(Array(plan.subtrees(of: rank).joined()) == Array(plan.shards(of: rank)), "\(plan)")
      }
    }
  }

  /// Each rank sums within its shards, each host what its ranks have, then the rest of the tree: together it is the tree of
  /// the definition.
  @Test func additionsMakeTheSameTreeForAnyRanksAndHosts() {
    for plan in Self.plans {
      let sums = plan.hosts.ranks.indices.flatMap { host in
        let ranks = plan.hosts.ranks[host]
        let leaves = ranks.flatMap { rank in
          let shards = plan.shards(of: rank)
          return plan.subtrees(of: rank).map { subtree in
            Tree.adding(
              ShardTree.additions(over: subtree, leaves: subtree.map { $0..<$0 + 1 }),
              subtree.clamped(to: shards).map { Tree.shard($0) })[0]
          }
        }
        let (additions, places) = plan.sums(ofHost: host)
        #expect(places.count == plan.subtrees(ofHost: host).count)
        let trees = Tree.adding(additions, leaves)
        return places.map { trees[$0] }
      }
      #expect(Tree.adding(plan.additions, sums)[0] == Tree(0..<plan.shards), "\(plan)")
      #expect(plan.additions.count == sums.count - 1)
    }
  }

  @Test func `a host sends one vector where its shards are a subtree, and few elsewhere`() {
    func subtrees(_ shards: Int, _ ranks: [Int]) -> [Int] {
      let plan = ShardPlan(shards: shards, hosts: Hosts(ranks: ranks))
      return ranks.indices.map { plan.subtrees(ofHost: $0).count }
    }
    #expect(subtrees(8, [4, 4]) == [1, 1])
    #expect(subtrees(64, [2, 2, 2, 2]) == [1, 1, 1, 1])
    #expect(subtrees(12, [4, 4, 4]) == [1, 1, 1])
    #expect(subtrees(8, [4, 3, 1]) == [1, 2, 1])
    #expect(subtrees(6, [1, 2, 3]) == [1, 2, 2])
    #expect(subtrees(13, [1]) == [1])
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
      for hosts in (1...17).flatMap(Self.hosts(ofRanks:)) {
        let ranks = 0..<hosts.rankCount
        let ownership = Ownership(layout, hosts: hosts)
        for (index, piece) in layout.pieces.enumerated() {
          let ranges = ranks.map { ownership.range(of: $0, piece: index) }
          #expect(ranges.first?.lowerBound == piece.lowerBound && ranges.last?.upperBound == piece.upperBound)
          #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
          #expect(ranges.allSatisfy { $0.lowerBound % ParameterLayout.alignment == 0 })
          #expect(ownership.counts(ofPiece: index) == ranges.map(\.count))
        }
        let all = ranks.flatMap(ownership.ranges(of:)).reduce(0) { $0 + $1.count }
        #expect(all == layout.count)
      }
    }
  }

  /// What each rank owns comes once from every other host, by messages that both ends know of; and all hosts send the same.
  @Test func `each owned element comes once from every other host`() {
    var model = ModelConfiguration()
    (model.embedding, model.hidden) = (96, 96)
    let layout = Blueprint(model, tracks: .language(vocabulary: 300)).layout
    for hosts in (1...9).flatMap(Self.hosts(ofRanks:)) {
      let ownership = Ownership(layout, hosts: hosts)
      for (piece, elements) in layout.pieces.enumerated() {
        var sent = [Int](repeating: 0, count: hosts.count)
        for rank in 0..<hosts.rankCount {
          let own = ownership.range(of: rank, piece: piece)
          for host in hosts.ranks.indices where host != hosts.host(of: rank) {
            let incoming = ownership.incoming(to: rank, fromHost: host, piece: piece)
            #expect(incoming.flatMap { Array($0.elements) } == Array(own))
            for transfer in incoming {
              let answers = ownership.outgoing(
                from: transfer.rank, toHost: hosts.host(of: rank), piece: piece)
              #expect(answers.contains { $0.rank == rank && $0.elements == transfer.elements })
              sent[host] += transfer.elements.count
            }
          }
        }
        let even = elements.count * (hosts.count - 1) / hosts.count
        #expect(sent.allSatisfy { abs($0 - even) <= ParameterLayout.alignment }, "\(hosts): \(sent)")
      }
    }
  }
}

extension ShardPlan {
  /// The subtrees that each rank sums by itself, of all ranks in ascending order.
  fileprivate var subtrees: [Range<Int>] { (0..<hosts.rankCount).flatMap(subtrees(of:)) }
}
