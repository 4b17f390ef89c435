import TestSupport
import Testing

/// The scripts that start the program.
@Suite struct LaunchTests {
  @Test func `the Slurm template says where to submit it from`() throws {
    try withTemporaryDirectory { directory in
      let result = try runProcess("bash", [script("slurm.sbatch"), "my.yaml"], directory: directory)
      #expect(result.status == 1 && result.output.isEmpty, "\(result)")
      #expect(result.errors.contains("\(directory)/.build/release/seqtrain is not there"), "\(result)")
      #expect(result.errors.contains("submit from there"), "\(result)")
    }
  }

  @Test(arguments: ["0", "two", ""])
  func `a number of ranks that is none is refused before anything is built`(_ ranks: String) throws {
    let result = try runProcess("bash", [script("train"), "-n", ranks])
    #expect(result.status == 1 && result.errors.contains("expected a number of ranks"), "\(result)")
  }

  /// The path of a script in `launch`, which lies beside `Tests`.
  private func script(_ name: String) -> String {
    #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/launch/\(name)"
  }
}
