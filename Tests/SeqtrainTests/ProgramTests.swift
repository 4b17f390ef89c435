import Glibc
import TestSupport
import Testing

/// What the program is built from.
@Suite struct ProgramTests {
  @Test func `the program runs on hosts without a Swift toolchain`() throws {
    let result = try runProcess("ldd", [try builtProgram("seqtrain")])
    #expect(result.status == 0 && result.output.contains("libmpi"), "\(result)")
    #expect(!result.output.contains("libswift") && !result.output.contains("Foundation"), "\(result)")
  }

  @Test func `a process by itself leaves the session directories of jobs alone`() throws {
    try withTemporaryDirectory { directory in
      // A job that is starting has made the directory that all jobs of the user share, and nothing in it yet.
      let session = "\(directory)/ompi.\(try hostName()).\(getuid())"
      try #require(mkdir(session, 0o700) == 0)
      let arguments = ["bench", "--hidden", "16", "--layers", "1", "--steps", "1", "--warmup", "0"]
      let result = try runProcess(
        try builtProgram("seqtrain"), arguments, environment: ["OMPI_MCA_orte_tmpdir_base": directory])
      #expect(result.status == 0, "\(result)")
      #expect(try directoryEntries(directory).count == 1)
    }
  }

  /// The host's name as Open MPI has it in the names of its directories: without the domain.
  private func hostName() throws -> Substring {
    String(decoding: try readBytes("/proc/sys/kernel/hostname"), as: UTF8.self).prefix {
      $0 != "." && $0 != "\n"
    }
  }
}
