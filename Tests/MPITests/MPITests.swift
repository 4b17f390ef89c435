import TestSupport
import Testing

/// Runs the scenarios of the program MultiRank.
@Suite(.serialized) struct MPITests {
  @Test(
    arguments: ["collectives", "messages-in-parts", "groups", "agree", "shared-memory", "host-progress"],
    [1, 2, 3, 8])
  func scenario(_ name: String, ranks: Int) throws {
    let result = try mpirun(ranks: ranks, "MultiRank", [name])
    #expect(result.status == 0, "\(result)")
  }

  /// Without `mpirun` a process is a job of one rank.
  @Test(arguments: ["collectives", "messages-in-parts", "groups", "agree", "shared-memory", "host-progress"])
  func aloneWithoutLauncher(_ name: String) throws {
    let result = try runProcess(try builtProgram("MultiRank"), [name])
    #expect(result.status == 0, "\(result)")
  }

  @Test(arguments: [1, 8]) func aFailureOfOneRankIsReportedOnce(ranks: Int) throws {
    let result = try mpirun(ranks: ranks, "MultiRank", ["fail-last"])
    #expect(result.status == 2, "\(result)")
    #expect(result.output == "rank 0: \(ranks == 1 ? "" : "rank \(ranks - 1): ")disk full\n")
  }

  @Test(arguments: [3]) func aFailureOfAllRanksIsReportedOnce(ranks: Int) throws {
    let result = try mpirun(ranks: ranks, "MultiRank", ["fail-all"])
    #expect(result.status == 2, "\(result)")
    #expect(result.output == "rank 0: no such file\n")
  }

  /// The other ranks wait in a collective call that the failing one never makes.
  @Test(arguments: [2, 8]) func aFailureThatWasNotAgreedOnEndsTheJob(ranks: Int) throws {
    let result = try mpirun(ranks: ranks, "MultiRank", ["fail-alone"], timeout: 30)
    #expect(result.status == 1, "\(result)")
    #expect(result.output == "rank \(ranks - 1): out of cheese\n")
  }

  @Test func anErrorOfTheLibraryNamesItsFunction() throws {
    let result = try mpirun(ranks: 2, "MultiRank", ["misuse"])
    #expect(result.status == 1, "\(result)")
    #expect(result.output.contains(": MPI_Bcast: MPI_ERR_ROOT: invalid root"), "\(result)")
  }
}
