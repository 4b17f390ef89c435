import Chunks
import Core
import Glibc
import MPI

/// Sums pieces of the gradient over all shards: within a host in place, where its ranks' gradients lie, and between
/// hosts by messages.
///
/// A rank sums its shares of all hosts' slices over the shards of its host, sends each to the ranks that own it, and
/// finishes the tree over what it owns with what comes from the others.
///
/// One thread uses it at a time.
final class PieceReducer: @unchecked Sendable {
  /// The number of pieces of a step.
  var pieceCount: Int { pieces.count }
  /// Where the sums over all shards are left, indexed like the vector.
  var sums: UnsafePointer<Float> { UnsafePointer(gradients[0]) }

  private let communicator: Communicator
  private let progress: HostProgress
  private let waits: WaitClock?
  private let pieces: [Piece]
  /// The gradients of the subtrees of all ranks of the host, in ascending order.
  private let gradients: [UnsafeMutablePointer<Float>]
  private let hostAdditions: [(left: Int, right: Int)]
  private let additions: [(left: Int, right: Int)]
  private let received: Buffer<Float>
  private let leaving: PendingMessages
  private var sentPieces = 0
  /// The number of pieces that each rank had finished before this step.
  private var finishedBefore = 0

  /// The ways of a piece's parts.
  private struct Piece {
    let own: Range<Int>
    /// The shares that are summed for other hosts, each with where its sums go.
    let outgoing: [(share: Range<Int>, messages: [(rank: Int, sums: UnsafeBufferPointer<Float>)])]
    let incoming: [(rank: Int, sums: UnsafeMutableBufferPointer<Float>)]
    /// The own elements of each host's subtrees, in ascending order.
    let vectors: [UnsafeMutablePointer<Float>]
    let arriving: PendingMessages
  }

  /// - Parameters:
  ///   - gradients: Those of the subtrees of all ranks of the host, in ascending order.
  ///   - progress: The pieces that the ranks of the host have finished in all steps.
  ///   - waits: What its waits count to; nil where another thread than the one that trains uses it.
  init(
    _ communicator: Communicator, layout: ParameterLayout, plan: ShardPlan,
    gradients: [UnsafeMutablePointer<Float>], progress: HostProgress, waits: WaitClock?
  ) {
    let rank = communicator.rank
    let hosts = plan.hosts
    let ownHost = hosts.host(of: rank)
    let ownership = Ownership(layout, hosts: hosts)
    let (hostAdditions, places) = plan.sums(ofHost: ownHost)
    self.communicator = communicator
    self.progress = progress
    self.waits = waits
    self.gradients = gradients
    self.hostAdditions = hostAdditions
    additions = plan.additions
    received = Buffer(count: Self.receivedCount(of: rank, layout: layout, plan: plan))
    leaving = PendingMessages(communicator)
    var free = received.base
    pieces = layout.pieces.indices.map { piece in
      let own = ownership.range(of: rank, piece: piece)
      var incoming: [(rank: Int, sums: UnsafeMutableBufferPointer<Float>)] = []
      var vectors: [UnsafeMutablePointer<Float>] = []
      for host in hosts.ranks.indices {
        guard host != ownHost else {
          vectors += places.map { gradients[$0] + own.lowerBound }
          continue
        }
        let trees = plan.subtrees(ofHost: host).indices.map { free + $0 * own.count }
        for transfer in ownership.incoming(to: rank, fromHost: host, piece: piece) {
          incoming += trees.map { tree in
            let start = tree + transfer.elements.lowerBound - own.lowerBound
            return (transfer.rank, UnsafeMutableBufferPointer(start: start, count: transfer.elements.count))
          }
        }
        vectors += trees
        free += trees.count * own.count
      }
      // Every host begins with the next one, lest all of them send to the same one first.
      let others = (1..<hosts.count).map { (ownHost + $0) % hosts.count }
      let outgoing = others.map { host in
        (
          share: ownership.share(of: rank, host: host, piece: piece),
          messages: ownership.outgoing(from: rank, toHost: host, piece: piece).flatMap { transfer in
            places.map { place in
              (
                rank: transfer.rank,
                sums: UnsafeBufferPointer(
                  start: UnsafePointer(gradients[place] + transfer.elements.lowerBound),
                  count: transfer.elements.count)
              )
            }
          }
        )
      }
      return Piece(
        own: own, outgoing: outgoing, incoming: incoming, vectors: vectors,
        arriving: PendingMessages(communicator))
    }
  }

  /// The floats that a rank receives in a step: what it owns, of every subtree of every other host.
  static func receivedCount(of rank: Int, layout: ParameterLayout, plan: ShardPlan) -> Int {
    let own = Ownership(layout, hosts: plan.hosts).ranges(of: rank).reduce(0) { $0 + $1.count }
    let host = plan.hosts.host(of: rank)
    return plan.hosts.ranks.indices.reduce(0) {
      $1 == host ? $0 : $0 + own * plan.subtrees(ofHost: $1).count
    }
  }

  /// Sums what this rank does of the pieces that all ranks of the host have finished and sends it off, without waiting.
  ///
  /// - Throws: `MPIError`.
  func sendFinished() throws {
    while sentPieces < pieceCount, isFinished(sentPieces) { try sendNext() }
    try communicator.makeProgress()
  }

  /// Leaves the sums over all shards of what this rank owns of a piece in the first of the gradients; waits for all ranks to
  /// have finished it. Piece after piece.
  ///
  /// - Throws: `MPIError`.
  func reduce(piece: Int) throws {
    while sentPieces <= piece {
      if !isFinished(sentPieces) { try wait { try awaitFinished(sentPieces) } }
      try sendNext()
    }
    let (own, vectors) = (pieces[piece].own, pieces[piece].vectors)
    try wait(pieces[piece].arriving.wait)
    ShardTree.add(additions, vectors, elements: 0..<own.count)
    let sums = gradients[0] + own.lowerBound
    if let first = vectors.first, first != sums { sums.update(from: first, count: own.count) }
    guard piece + 1 == pieceCount else { return }
    try wait(leaving.wait)
    finishedBefore += pieceCount
    sentPieces = 0
  }

  private func isFinished(_ piece: Int) -> Bool { progress.allHaveReached(finishedBefore + piece + 1) }

  private func awaitFinished(_ piece: Int) throws {
    while !isFinished(piece) {
      try communicator.makeProgress()
      sched_yield()
    }
  }

  private func wait(_ body: () throws -> Void) throws {
    if let waits { try waits.during(body) } else { try body() }
  }

  private func sendNext() throws {
    if sentPieces == 0 {
      for piece in pieces {
        for (rank, sums) in piece.incoming { try piece.arriving.receive(into: sums, from: rank) }
      }
    }
    let piece = pieces[sentPieces]
    for (share, messages) in piece.outgoing {
      ShardTree.add(hostAdditions, gradients, elements: share)
      for (rank, sums) in messages { try leaving.send(sums, to: rank) }
    }
    ShardTree.add(hostAdditions, gradients, elements: piece.own)
    sentPieces += 1
  }
}
