import MPI
import Reports
import Testing
import Training

@Suite struct RankPlacementTests {
  private func plan(_ shards: Int, _ ranks: [Int]) -> ShardPlan {
    ShardPlan(shards: shards, hosts: Hosts(ranks: ranks))
  }

  @Test func `hosts are named where they are several`() {
    #expect(plan(8, [1]).ranksInWords == "1 rank")
    #expect(plan(8, [8]).ranksInWords == "8 ranks")
    #expect(plan(8, [4, 3, 1]).ranksInWords == "8 ranks on 3 hosts")
  }

  @Test func `sending more than one sum a host is told`() {
    #expect(plan(7, [3]).exchangeNote(of: "shards") == nil)
    #expect(plan(8, [4, 4]).exchangeNote(of: "shards") == nil)
    #expect(plan(12, [2, 2, 2]).exchangeNote(of: "shards") == nil)
    #expect(
      plan(12, [2, 2]).exchangeNote(of: "blocks")?.hasPrefix("a host sends up to 2 sums of gradients a step")
        == true)
    #expect(plan(8, [4, 3, 1]).exchangeNote(of: "shards")?.contains("up to 2 sums") == true)
  }
}
