import TestSupport
import Testing

@Suite(.serialized) struct ExchangeTests {
  /// Against the definition of the sum, on one host and on what looks like several.
  @Test(arguments: [1, 2, 3, 4, 6, 8])
  func `sums, weights and packed weights are the same on any ranks and hosts`(ranks: Int) throws {
    let result = try mpirun(ranks: ranks, "MultiRank", ["exchanges"])
    #expect(result.status == 0, "\(result)")
  }

  @Test func `a host without room for shared memory ends the job on all`() throws {
    let result = try mpirun(ranks: 4, "MultiRank", ["exchange-without-room"])
    #expect(result.status == 0, "\(result)")
  }
}
