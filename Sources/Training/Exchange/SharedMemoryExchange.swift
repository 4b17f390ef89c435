import Core
import MPI
import Preconditions

/// The exchange between ranks of one host: weights and gradients lie in memory that all of them see.
///
/// There is one copy of the weights, and one of their packed forms, which so stays in a cache that the ranks share. A
/// rank sums its slices straight from the gradients of all ranks' subtrees, in place, and updates its slices of the weights;
/// the ranks only wait for each other.
package final class SharedMemoryExchange: GradientExchange {
  package let memory: ParameterMemory
  package let slices: [Range<Int>]
  package let packing: SharedPacking?

  private let host: Communicator
  private let window: SharedMemory
  private let additions: [(left: Int, right: Int)]
  /// The gradients of all ranks' subtrees, in ascending order.
  private let gradients: [UnsafeMutablePointer<Float>]

  /// Takes the communicator of a host's ranks, which `free` ends.
  ///
  /// - Parameter packedCount: The floats of the packed weights; 0 where they can't be shared.
  package init(_ host: Communicator, layout: ParameterLayout, packedCount: Int, plan: ShardPlan) throws {
    // Rank 0's part begins with the weights and their packed forms.
    let weightCount = layout.count + packedCount
    let window = try SharedMemory(
      host,
      byteCount: Self.byteCount(of: host.rank, layout: layout, packedCount: packedCount, plan: plan))
    func base(of rank: Int) -> UnsafeMutablePointer<Float> {
      guard let base = window.segment(of: rank).bindMemory(to: Float.self).baseAddress else {
        preconditionFailure("a rank's part of the shared memory is not empty")
      }
      return base
    }
    let gradients = (0..<host.size).map { rank in
      let base = base(of: rank) + (rank == 0 ? weightCount : 0)
      return plan.subtrees(of: rank).indices.map { base + $0 * layout.count }
    }
    self.host = host
    self.window = window
    let packed = UnsafeMutableBufferPointer(start: base(of: 0) + layout.count, count: packedCount)
    packing =
      packedCount > 0 ? SharedPacking(floats: packed, sharer: host.rank, sharers: host.size) : nil
    self.gradients = Array(gradients.joined())
    slices = Ownership(layout, ranks: host.size).ranges(of: host.rank)
    additions = plan.additions
    memory = ParameterMemory(
      layout: layout, weights: base(of: 0), gradients: gradients[host.rank],
      trees: plan.ownSubtrees(of: host.rank), owner: window)
    if host.rank == 0 { memory.weights.update(repeating: 0, count: layout.count) }
  }

  /// The bytes of a rank's part of the shared memory.
  static func byteCount(of rank: Int, layout: ParameterLayout, packedCount: Int, plan: ShardPlan) -> Int {
    let floats = layout.count * plan.subtrees(of: rank).count + (rank == 0 ? layout.count + packedCount : 0)
    return floats * MemoryLayout<Float>.stride
  }

  package func awaitPackedWeights() throws {
    if packing != nil { try window.synchronize() }
  }

  package func finished(piece: Int) {}

  package func reduce() throws -> UnsafePointer<Float> {
    try window.synchronize()
    for slice in slices { ShardTree.add(additions, gradients, elements: slice) }
    return UnsafePointer(gradients[0])
  }

  package func shareWeights(_ parts: [(elements: Range<Int>, rank: Int)]) throws { try window.synchronize() }

  package func publish() throws { try window.synchronize() }

  package func free() throws {
    try window.free()
    try host.free()
  }
}
