import Core
import MPI
import Preconditions
import Threads

/// How the ranks of a run sum their gradients and share the updated weights, in two levels.
///
/// Within a host, weights, their packed forms and all gradients lie in memory that its ranks see: there is one copy of the
/// weights, and a rank sums its part of the vector straight from the gradients of all ranks. Between hosts, each rank
/// exchanges its part by messages with the ranks that have it on other hosts, so a host sends the gradient and the weights
/// once, however many ranks it has: 2 G (1 - 1/hosts) bytes a step for G bytes of gradient, of which the gradient's half
/// counts as often as the host has subtrees of `ShardTree`.
///
/// The sum of an element is the tree of `ShardTree` over all shards, so its bits do not depend on ranks and hosts. All
/// ranks call the same functions in the same order.
package final class GradientExchange {
  /// The weights, and a vector of gradients for each subtree of the rank's shards.
  package let memory: ParameterMemory
  /// The parts of the vector that this rank updates.
  package let slices: [Range<Int>]
  /// Memory for packed weights that the ranks of a host share, if they can be shared.
  package let packing: SharedPacking?

  private let hosts: Hosts
  private let host: Communicator
  private let acrossHosts: Communicator
  private let window: SharedMemory
  private let progress: HostProgress
  private let reducer: PieceReducer
  private let thread: CommunicationThread?
  private let weightMessages: PendingMessages
  private let outgoingWeights: [Ownership.Transfer]
  private let incomingWeights: [Ownership.Transfer]
  private var finishedPieces = 0
  private var finishedBefore = 0
  private var failure: (any Error)?

  /// Takes the memory. Collective.
  ///
  /// - Parameters:
  ///   - packedCount: The floats of the packed weights; 0 where they can't be shared.
  ///   - overlapping: Whether hosts exchange pieces on a thread beside backward; by default where every host has more
  ///     processors than ranks and lets the ranks use them.
  /// - Throws: `JobError` where the system has not the memory that ranks share; `MPIError`, `ThreadError`.
  package init(
    _ communicator: Communicator, layout: ParameterLayout, packedCount: Int, plan: ShardPlan,
    overlapping: Bool? = nil
  ) throws {
    let rank = communicator.rank
    let ownership = Ownership(layout, hosts: communicator.hosts)
    hosts = communicator.hosts
    let host = try communicator.splitByHost()
    self.host = host
    acrossHosts = try communicator.splitAcrossHosts()
    slices = ownership.ranges(of: rank)
    let byteCount = Self.sharedByteCount(of: rank, layout: layout, packedCount: packedCount, plan: plan)
    // Where one host has no room, the others must not go on without it.
    let window = try communicator.agree { try SharedMemory(host, byteCount: byteCount) }
    self.window = window
    progress = HostProgress(window, rank: host.rank, ranks: host.size)

    // The first rank's part begins with the weights and their packed forms.
    let weightCount = layout.count + packedCount
    func base(of rank: Int) -> UnsafeMutablePointer<Float> {
      guard let base = window.segment(of: rank).bindMemory(to: Float.self).baseAddress else {
        preconditionFailure("a rank's part of the shared memory is not empty")
      }
      return base
    }
    let ranks = hosts.ranks[hosts.host(of: rank)]
    let gradients = ranks.enumerated().map { place, rank in
      let base = base(of: place) + (place == 0 ? weightCount : 0)
      return plan.subtrees(of: rank).indices.map { base + $0 * layout.count }
    }
    memory = ParameterMemory(
      layout: layout, weights: base(of: 0), gradients: gradients[host.rank],
      trees: plan.ownSubtrees(of: rank), owner: window)
    let packed = UnsafeMutableBufferPointer(start: base(of: 0) + layout.count, count: packedCount)
    packing =
      packedCount > 0 ? SharedPacking(floats: packed, sharer: host.rank, sharers: host.size) : nil
    if host.rank == 0 { memory.weights.update(repeating: 0, count: layout.count) }
    try window.synchronize()

    let overlaps =
      try (overlapping ?? Self.haveSpareProcessors(communicator, ranksOfHost: host.size)) && hosts.count > 1
    reducer = PieceReducer(
      communicator, layout: layout, plan: plan, gradients: Array(gradients.joined()), progress: progress,
      waits: overlaps ? nil : .own)
    weightMessages = PendingMessages(communicator)
    // Weights go the ways that gradients have come.
    let (hosts, ownHost) = (hosts, hosts.host(of: rank))
    let others = (1..<hosts.count).map { (ownHost + $0) % hosts.count }
    outgoingWeights = layout.pieces.indices.flatMap { piece in
      others.flatMap { ownership.incoming(to: rank, fromHost: $0, piece: piece) }
    }
    incomingWeights = layout.pieces.indices.flatMap { piece in
      others.flatMap { ownership.outgoing(from: rank, toHost: $0, piece: piece) }
    }
    thread = overlaps ? try CommunicationThread(reducer) : nil
  }

  /// Whether every host has a processor besides those of its ranks. Collective.
  private static func haveSpareProcessors(_ communicator: Communicator, ranksOfHost: Int) throws -> Bool {
    let hasOne = Processors.online > ranksOfHost && Processors.allowed > 1
    return try communicator.minimum(hasOne ? 1 : 0) == 1
  }

  /// The bytes of a rank's part of the memory that its host's ranks share.
  static func sharedByteCount(
    of rank: Int, layout: ParameterLayout, packedCount: Int, plan: ShardPlan
  ) -> Int {
    let isFirst = plan.hosts.ranks.contains { $0.lowerBound == rank }
    let floats = layout.count * plan.subtrees(of: rank).count + (isFirst ? layout.count + packedCount : 0)
    return floats * MemoryLayout<Float>.stride + HostProgress.byteCount
  }

  /// Waits until all who share packed weights have packed their parts. Call before weights are used. Collective.
  ///
  /// - Throws: `MPIError`.
  package func awaitPackedWeights() throws {
    if packing != nil { try window.synchronize() }
  }

  /// Tells that this rank's gradients of a piece of the layout are complete for the step, piece after piece.
  package func finished(piece: Int) {
    precondition(piece == finishedPieces, "pieces are finished in their order")
    finishedPieces += 1
    progress.reach(finishedBefore + finishedPieces)
    guard hosts.count > 1 else { return }
    if let thread {
      thread.reduceNext()
    } else {
      do { try reducer.sendFinished() } catch { failure = error }
    }
  }

  /// The sums over all shards, indexed like the vector; valid in the rank's slices until `publish`. Call when all
  /// pieces are finished. Collective.
  ///
  /// - Throws: `MPIError`.
  package func reduce() throws -> UnsafePointer<Float> {
    // A rank that could not read its data has not finished all; the others wait for its part all the same.
    while finishedPieces < reducer.pieceCount { finished(piece: finishedPieces) }
    finishedBefore += finishedPieces
    finishedPieces = 0
    if let thread {
      try WaitClock.own.during(thread.waitForAll)
    } else {
      if let failure { throw failure }
      for piece in 0..<reducer.pieceCount { try reducer.reduce(piece: piece) }
    }
    return reducer.sums
  }

  /// Makes parts of the weights, each of which one rank has filled, known to all ranks. Collective.
  ///
  /// - Throws: `MPIError`.
  package func shareWeights(_ parts: [(elements: Range<Int>, rank: Int)]) throws {
    try window.synchronize()
    guard hosts.count > 1 else { return }
    if host.rank == 0 {
      for (elements, rank) in parts {
        try acrossHosts.broadcast(weights(elements), from: hosts.host(of: rank))
      }
    }
    try window.synchronize()
  }

  /// Makes the weights that each rank has updated in its slices known to all ranks; the gradients may be overwritten
  /// from then on. Collective.
  ///
  /// - Throws: `MPIError`.
  package func publish() throws {
    for part in incomingWeights { try weightMessages.receive(into: weights(part.elements), from: part.rank) }
    for part in outgoingWeights {
      try weightMessages.send(UnsafeBufferPointer(weights(part.elements)), to: part.rank)
    }
    try WaitClock.own.during(weightMessages.wait)
    try window.synchronize()
  }

  private func weights(_ elements: Range<Int>) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: memory.weights + elements.lowerBound, count: elements.count)
  }

  /// Frees what the ranks have together; nothing of the exchange may be used any more. Collective.
  ///
  /// - Throws: `MPIError`.
  package func free() throws {
    try window.free()
    try acrossHosts.free()
    try host.free()
  }
}
