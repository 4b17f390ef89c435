import Core
import MPI
import Preconditions

/// The exchange between ranks of several hosts, by messages.
///
/// Each piece of the gradient is reduced when backward has finished it: on a thread of its own while backward goes on,
/// where there is a processor for it, or else at once. The updated slices are gathered by all. Each rank so sends and
/// receives about twice the gradient, whatever their number, where ranks have one subtree each.
package final class MessageExchange: GradientExchange {
  package let memory: ParameterMemory
  package let slices: [Range<Int>]
  package var packing: SharedPacking? { nil }

  private let communicator: Communicator
  private let reducer: PieceReducer
  private let thread: CommunicationThread?
  private var finishedPieces = 0
  private var failure: (any Error)?

  /// - Parameter overlapping: Whether pieces are reduced on a thread of their own.
  /// - Throws: `ThreadError`.
  package init(
    _ communicator: Communicator, layout: ParameterLayout, plan: ShardPlan, overlapping: Bool
  ) throws {
    let rank = communicator.rank
    self.communicator = communicator
    slices = Ownership(layout, ranks: communicator.size).ranges(of: rank)
    memory = ParameterMemory(layout: layout, trees: plan.ownSubtrees(of: rank))
    reducer = PieceReducer(communicator, layout: layout, plan: plan, gradients: memory.gradients)
    thread = overlapping ? try CommunicationThread(reducer) : nil
  }

  package func awaitPackedWeights() {}

  package func finished(piece: Int) {
    precondition(piece == finishedPieces, "pieces are finished in their order")
    finishedPieces += 1
    if let thread {
      thread.reduceNext()
    } else {
      do { try reducer.reduce(piece: piece) } catch { failure = error }
    }
  }

  package func reduce() throws -> UnsafePointer<Float> {
    // A rank that could not read its data has not finished all; the others wait for its part all the same.
    while finishedPieces < reducer.pieces.count { finished(piece: finishedPieces) }
    finishedPieces = 0
    try thread?.waitForAll()
    if let failure { throw failure }
    return UnsafePointer(memory.gradients[0])
  }

  package func shareWeights(_ parts: [(elements: Range<Int>, rank: Int)]) throws {
    for (elements, rank) in parts {
      try communicator.broadcast(
        UnsafeMutableBufferPointer(start: memory.weights + elements.lowerBound, count: elements.count),
        from: rank)
    }
  }

  package func publish() throws {
    for (elements, slices) in reducer.pieces {
      let weights = UnsafeMutableBufferPointer(
        start: memory.weights + elements.lowerBound, count: elements.count)
      try communicator.allgather(weights, slices)
    }
  }

  package func free() {}
}
