import Chunks
import Core
import MPI

/// Sums pieces of the gradient over all shards by messages.
///
/// An all-to-all brings every rank its slices of all ranks' subtrees, from which it finishes the tree.
///
/// One thread uses it at a time.
final class PieceReducer: @unchecked Sendable {
  /// The elements of each piece, and the slices of them that the ranks own.
  let pieces: [(elements: Range<Int>, slices: RankBlocks)]

  private let communicator: Communicator
  private let routes: [Route]
  private let gradients: [UnsafeMutablePointer<Float>]
  private let additions: [(left: Int, right: Int)]
  private let received: Buffer<Float>

  /// The ways of a piece's parts.
  private struct Route {
    let own: Range<Int>
    /// What comes in: first every rank's first subtree, then the second of those that have one, and so on.
    let rounds: [Round]
    /// The rank's slice of each subtree of the run, in ascending order.
    let vectors: [UnsafeMutablePointer<Float>]
  }

  private struct Round {
    let incoming: UnsafeMutableBufferPointer<Float>
    let incomingBlocks: RankBlocks
    let outgoingBlocks: RankBlocks
  }

  /// For `gradients` of the rank's subtrees of `plan`, a vector of the layout each.
  init(
    _ communicator: Communicator, layout: ParameterLayout, plan: ShardPlan,
    gradients: [UnsafeMutablePointer<Float>]
  ) {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let ownership = Ownership(layout, ranks: ranks)
    let trees = (0..<ranks).map(plan.subtrees(of:))
    self.communicator = communicator
    self.gradients = gradients
    received = Buffer(
      count: trees.joined().count * ownership.ranges(of: rank).reduce(0) { $0 + $1.count })
    additions = plan.additions
    let pieces = layout.pieces.indices.map {
      (elements: layout.pieces[$0], slices: RankBlocks(counts: ownership.counts(ofPiece: $0)))
    }
    self.pieces = pieces
    var free = received.base
    routes = pieces.indices.map { index in
      let own = ownership.range(of: rank, piece: index)
      var rounds: [Round] = []
      var vectors: [[UnsafeMutablePointer<Float>]] = Array(repeating: [], count: ranks)
      for round in 0..<(trees.map(\.count).max() ?? 0) {
        let senders = (0..<ranks).filter { trees[$0].count > round }
        let incoming = UnsafeMutableBufferPointer(start: free, count: senders.count * own.count)
        for (place, sender) in senders.enumerated() { vectors[sender].append(free + place * own.count) }
        free += incoming.count
        rounds.append(
          Round(
            incoming: incoming,
            incomingBlocks: RankBlocks(counts: (0..<ranks).map { trees[$0].count > round ? own.count : 0 }),
            outgoingBlocks: trees[rank].count > round
              ? pieces[index].slices : RankBlocks(counts: Array(repeating: 0, count: ranks))))
      }
      return Route(own: own, rounds: rounds, vectors: Array(vectors.joined()))
    }
  }

  /// Leaves the sums of the rank's slice of a piece where the slice lies in the gradients of its first
  /// subtree. Collective.
  ///
  /// - Throws: `MPIError`.
  func reduce(piece index: Int) throws {
    let (elements, route) = (pieces[index].elements, routes[index])
    for (place, round) in route.rounds.enumerated() {
      let outgoing = place < gradients.count ? gradients[place] + elements.lowerBound : nil
      try communicator.alltoall(
        UnsafeBufferPointer(start: outgoing, count: round.outgoingBlocks.count), round.outgoingBlocks,
        into: round.incoming, round.incomingBlocks)
    }
    ShardTree.add(additions, route.vectors, elements: 0..<route.own.count)
    (gradients[0] + route.own.lowerBound).update(from: route.vectors[0], count: route.own.count)
  }
}
