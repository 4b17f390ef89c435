import Core
import MPI

/// Compares the hosts' copies of the weights, so that a bit that flips in one of them is noticed.
///
/// They can differ for a step only: then every part is updated by its owner, from the owner's copy, and sent to all others. So
/// what a check that is left out would have found is not found later.
struct WeightCheck {
  private let every: Int
  private let hosts: Hosts
  /// The elements that this rank looks at in its host's copy.
  private let elements: Range<Int>

  /// - Parameter every: The steps between two checks; 0 for none.
  init(every: Int, _ communicator: Communicator, _ layout: ParameterLayout) {
    hosts = communicator.hosts
    self.every = hosts.count > 1 ? every : 0
    let ranks = hosts.ranks[hosts.host(of: communicator.rank)]
    let blocks = RankBlocks.evenPart(
      of: layout.count / ParameterLayout.alignment, rank: communicator.rank - ranks.lowerBound,
      ranks: ranks.count)
    elements = blocks.lowerBound * ParameterLayout.alignment..<blocks.upperBound * ParameterLayout.alignment
  }

  /// Whether the weights that a step begins with are compared.
  func isDue(step: Int) -> Bool { every > 0 && step % every == 0 }

  /// This rank's part of its host's digest, the sum of the bits of all weights: no flip of a bit leaves it as it is, and however
  /// many ranks a host has, their parts have the same sum.
  func digest(_ weights: UnsafePointer<Float>) -> UInt64 {
    let words = UnsafeRawPointer(weights + elements.lowerBound).assumingMemoryBound(to: UInt64.self)
    var sum: UInt64 = 0
    for index in 0..<elements.count / 2 { sum &+= words[index] }
    return sum
  }

  /// Which hosts have other weights than most; all where there is no majority. None where all have the same.
  ///
  /// - Parameter digests: Those of all ranks.
  func differingHosts(_ digests: [UInt64]) -> [Int] {
    let sums = hosts.ranks.map { $0.reduce(0) { $0 &+ digests[$1] } }
    let counts = Dictionary(grouping: sums.indices) { sums[$0] }
    guard counts.count > 1 else { return [] }
    let most = counts.values.first { 2 * $0.count > sums.count } ?? []
    return sums.indices.filter { !most.contains($0) }
  }

  /// What is wrong, for people.
  func message(step: Int, _ differing: [Int]) -> String {
    func ranks(_ host: Int) -> String {
      let ranks = hosts.ranks[host]
      return ranks.count == 1
        ? "rank \(ranks.lowerBound)" : "ranks \(ranks.lowerBound) to \(ranks.upperBound - 1)"
    }
    let places = differing.map(ranks).joined(separator: " and of ")
    let others = differing.count == hosts.count ? "each other" : "the other hosts'"
    return
      "step \(step): the weights in the memory of the \(differing.count == 1 ? "host" : "hosts") of \(places) differ from "
      + "\(others) (training.check_every); nothing was updated or written, and the same command goes on from the last "
      + "checkpoint; if it happens again, have that memory tested"
  }
}
