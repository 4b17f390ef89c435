import Core
import MPI

/// The exchange between ranks of several hosts, by messages.
///
/// A rank first sums the largest subtrees within its own shards. An all-to-all brings every rank its slices of all
/// ranks' subtrees, from which it finishes the tree; the updated slices are gathered by all. Each rank so sends and
/// receives about twice the gradient, whatever their number, where ranks have one subtree each.
package final class MessageExchange: GradientExchange {
  package let memory: ParameterMemory
  package let slices: [Range<Int>]

  private let communicator: Communicator
  private let pieces: [Piece]
  /// The first element of each subtree of the rank in the gradients of the shard that it is summed in.
  private let subtrees: [UnsafeMutablePointer<Float>]
  private let ownAdditions: [(left: Int, right: Int)]
  private let additions: [(left: Int, right: Int)]
  private let received: Buffer<Float>
  private var finishedPieces = 0

  /// How a piece of the layout is exchanged.
  private struct Piece {
    let elements: Range<Int>
    let own: Range<Int>
    /// The slices of the piece that the ranks own.
    let slices: RankBlocks
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

  package init(_ communicator: Communicator, layout: ParameterLayout, plan: ShardPlan) throws {
    let (rank, ranks) = (communicator.rank, communicator.size)
    let ownership = Ownership(layout, ranks: ranks)
    let shards = plan.shards(of: rank)
    let trees = (0..<ranks).map(plan.subtrees(of:))
    self.communicator = communicator
    slices = ownership.ranges(of: rank)
    memory = ParameterMemory(layout: layout, shards: shards.count)
    received = Buffer(count: trees.joined().count * slices.reduce(0) { $0 + $1.count })
    subtrees = trees[rank].map { [memory] in memory.gradients[$0.lowerBound - shards.lowerBound] }
    ownAdditions = trees[rank].flatMap { ShardTree.additions(over: $0, leaves: shards.map { $0..<$0 + 1 }) }
      .map { (left: $0.left, right: $0.right) }
    additions = ShardTree.additions(over: 0..<plan.shards, leaves: Array(trees.joined()))
    var free = received.base
    pieces = layout.pieces.indices.map { index in
      let slices = RankBlocks(counts: ownership.counts(ofPiece: index))
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
              ? slices : RankBlocks(counts: Array(repeating: 0, count: ranks))))
      }
      return Piece(
        elements: layout.pieces[index], own: own, slices: slices, rounds: rounds,
        vectors: Array(vectors.joined()))
    }
  }

  package func finished(piece: Int) {
    precondition(piece == finishedPieces, "pieces are finished in their order")
    addTrees(ownAdditions, memory.gradients, elements: pieces[piece].elements)
    finishedPieces += 1
  }

  package func reduce() throws -> UnsafePointer<Float> {
    // A rank that could not read its data has not finished all; the others wait for its part all the same.
    while finishedPieces < pieces.count { finished(piece: finishedPieces) }
    finishedPieces = 0
    for piece in pieces {
      try send(piece)
      addTrees(additions, piece.vectors, elements: 0..<piece.own.count)
      // The sum moves to where it belongs in the flat vector.
      (memory.gradients[0] + piece.own.lowerBound).update(from: piece.vectors[0], count: piece.own.count)
    }
    return UnsafePointer(memory.gradients[0])
  }

  package func shareWeights() throws {
    try communicator.broadcast(
      UnsafeMutableBufferPointer(start: memory.weights, count: memory.layout.count))
  }

  package func publish() throws {
    for piece in pieces {
      let weights = UnsafeMutableBufferPointer(
        start: memory.weights + piece.elements.lowerBound, count: piece.elements.count)
      try communicator.allgather(weights, piece.slices)
    }
  }

  private func send(_ piece: Piece) throws {
    for (index, round) in piece.rounds.enumerated() {
      let outgoing = index < subtrees.count ? subtrees[index] + piece.elements.lowerBound : nil
      try communicator.alltoall(
        UnsafeBufferPointer(start: outgoing, count: round.outgoingBlocks.count), round.outgoingBlocks,
        into: round.incoming, round.incomingBlocks)
    }
  }
}
