import Glibc
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

  /// Whatever the launcher, which counts slots and not processors, has set.
  @Test func `waiting ranks yield where they outnumber the processors`() throws {
    for ranks in [1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 1] {
      let result = try mpirun(
        ranks: ranks, "MultiRank", ["yielding"], environment: ["OMPI_MCA_mpi_yield_when_idle": "0"])
      #expect(result.status == 0, "\(result)")
    }
  }

  @Test func anErrorOfTheLibraryNamesItsFunction() throws {
    let result = try mpirun(ranks: 2, "MultiRank", ["misuse"])
    #expect(result.status == 1, "\(result)")
    #expect(result.output.contains(": MPI_Bcast: MPI_ERR_ROOT: invalid root"), "\(result)")
  }
}
