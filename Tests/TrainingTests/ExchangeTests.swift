import TestSupport
import Testing

@Suite(.serialized) struct ExchangeTests {
  /// Shared memory and messages, each against the definition of the sum: same bits as each other on any ranks.
  @Test(arguments: [1, 2, 3, 4, 8]) func bothSumAndShareTheSameBits(ranks: Int) throws {
    let result = try mpirun(ranks: ranks, "MultiRank", ["exchanges"])
    #expect(result.status == 0, "\(result)")
  }
}
