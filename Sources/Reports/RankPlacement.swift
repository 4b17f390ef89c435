import FileSystem
import Training

extension ShardPlan {
  /// How many ranks there are, and hosts if they are several: `8 ranks on 2 hosts`.
  package var ranksInWords: String {
    let ranks = Wording.counted(hosts.rankCount, "rank")
    return hosts.count > 1 ? "\(ranks) on \(hosts.count) hosts" : ranks
  }

  /// That hosts send more than the gradient in a step, where one has shards that are several subtrees.
  ///
  /// - Parameter shards: What the shards are called: those of a run, or blocks of them.
  package func exchangeNote(of shards: String) -> String? {
    let most = hosts.ranks.indices.map { subtrees(ofHost: $0).count }.max() ?? 1
    guard most > 1, hosts.count > 1 else { return nil }
    return """
      a host sends up to \(most) sums of gradients a step, since its \(shards) are so many subtrees of the sum over \
      all \(self.shards); it is one where every host has the same power of two of \(shards)
      """
  }
}
