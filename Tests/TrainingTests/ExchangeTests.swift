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

  /// What a rank of many plans must not grow with their number, nor with that of streams but for 4 bytes each and their order.
  @Test func `a thousand ranks plan ten million streams in seconds, and in less than a gigabyte`() throws {
    let result = try mpirun(ranks: 1, "MultiRank", ["plan-for-many-ranks"])
    let found = try #require(result.output.firstMatch(of: /planned ([0-9.]+) (\d+)/), "\(result)")
    #expect(try #require(Double(found.1)) < 2 && #require(Int(found.2)) < 1 << 30, "\(result)")
  }
}
