import Core
import MPI
import Threads

/// How the ranks of a run sum their gradients and share the updated weights.
///
/// Every rank reduces and updates its own slices of the flat vector. The sum of an element is the tree of
/// `ShardTree` over all shards, so its bits do not depend on the number of ranks or on the way they exchange.
/// All ranks call the same functions in the same order.
package protocol GradientExchange: AnyObject {
  /// The weights, and a vector of gradients for each subtree of the rank's shards.
  var memory: ParameterMemory { get }
  /// The parts of the vector that this rank reduces and updates.
  var slices: [Range<Int>] { get }
  /// Memory for packed weights that the ranks of a host share, if they do.
  var packing: SharedPacking? { get }
  /// Waits until all ranks that share packed weights have packed their parts. Call before weights are used.
  func awaitPackedWeights() throws
  /// Told by each rank when its gradients of a piece of the layout are complete for the step, piece after piece.
  func finished(piece: Int)
  /// The sums over all shards, indexed like the vector; valid in the rank's slices until `publish`. Call when
  /// all pieces are finished.
  func reduce() throws -> UnsafePointer<Float>
  /// Makes parts of the weights, each of which one rank has filled, known to all ranks.
  func shareWeights(_ parts: [(elements: Range<Int>, rank: Int)]) throws
  /// Makes the weights that each rank has updated in its slices known to all ranks; the gradients may be overwritten
  /// from then on.
  func publish() throws
  /// Frees what the ranks share; nothing of the exchange may be used any more. Collective.
  func free() throws
}

/// The exchange that suits the ranks' hosts: through shared memory where all are on one, otherwise by messages, on a thread
/// beside backward where every host has more processors than ranks and lets the ranks use them. Collective.
///
/// - Throws: `MPIError`, `ThreadError`.
func makeExchange(
  _ communicator: Communicator, layout: ParameterLayout, packedCount: Int, plan: ShardPlan
) throws -> any GradientExchange {
  let host = try communicator.splitByHost()
  let onOneHost = try communicator.allgather(host.size).allSatisfy { $0 == communicator.size }
  if onOneHost {
    return try SharedMemoryExchange(host, layout: layout, packedCount: packedCount, plan: plan)
  }
  let hasSpareProcessor = Processors.online > host.size && Processors.allowed > 1
  try host.free()
  let overlapping = try communicator.allgather(hasSpareProcessor ? 1 : 0).allSatisfy { $0 == 1 }
  return try MessageExchange(communicator, layout: layout, plan: plan, overlapping: overlapping)
}
