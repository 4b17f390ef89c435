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
    #expect(result.status == 64 && result.errors.contains("expected a number of ranks"), "\(result)")
  }

  /// What `launch/train` makes of jobs that end so, one attempt after another: its status, and the attempts.
  ///
  /// - Parameter jobs: Of each attempt its status, and whether it leaves a new checkpoint.
  private func restarts(_ count: Int, _ jobs: [(status: Int, saves: Bool)]) throws -> (
    status: Int32, attempts: Int
  ) {
    try withTemporaryDirectory { base in
      let setUp = try runProcess(
        "bash",
        [
          "-c",
          """
          mkdir launch programs && cp '\(script("train"))' '\(script("common.sh"))' launch
          printf '#!/bin/sh\n' | tee launch/setup > programs/swift
          printf '%s\n' \(jobs.map { "'\($0.status) \($0.saves)'" }.joined(separator: " ")) > jobs
          cat > programs/mpirun <<'END'
          #!/bin/bash
          echo >> attempts
          read -r status saves < <(sed -n "$(wc -l < attempts)p" jobs)
          mkdir -p runs/mine/checkpoints
          [ "$saves" = false ] || touch "runs/mine/checkpoints/step-$(wc -l < attempts).h5"
          exit "$status"
          END
          chmod +x launch/setup programs/*
          """,
        ], directory: base)
      #expect(setUp.status == 0, "\(setUp)")
      let result = try runProcess(
        "bash", ["launch/train", "--restarts", "\(count)", "--run", "runs/mine"],
        environment: ["PATH": "\(base)/programs:/usr/bin:/bin"], directory: base)
      let attempts = try readBytes("\(base)/attempts").count
      return (result.status, attempts)
    }
  }

  @Test func `a job that fails is started again while it comes further`() throws {
    #expect(try restarts(3, [(1, true), (1, true), (0, true)]) == (0, 3))
    #expect(try restarts(1, [(1, true), (1, true), (0, true)]) == (1, 2), "no more often than asked")
    #expect(try restarts(0, [(1, true)]) == (1, 1))
  }

  @Test func `a job that no other attempt would mend is not started again`() throws {
    #expect(try restarts(9, [(1, false), (1, false), (0, true)]) == (1, 2), "it comes no further")
    #expect(try restarts(9, [(3, true), (0, true)]) == (3, 1), "stopped")
    #expect(try restarts(9, [(64, false), (0, true)]) == (64, 1), "wrong options")
  }

  @Test func `kills at random leave the state as it is`() throws {
    let result = try runProcess("bash", [script("torture"), "--rounds", "3"], timeout: 180)
    #expect(result.status == 0, "\(result)")
    #expect(
      result.output.matches(of: /\nround \d: (mpirun|rank \d) of \d ranks killed at step \d+/).count == 3,
      "\(result)")
    #expect(result.output.contains("torture: after 3 kills the state of step "), "\(result)")
  }

  @Test(arguments: [["--rounds", "0"], ["--seed", "x"], ["--directory", "/tmp"], ["now"]])
  func `options of kills at random that are none are refused`(_ options: [String]) throws {
    let result = try runProcess("bash", [script("torture")] + options)
    #expect(result.status == 64 && result.errors.contains("torture: ") && result.output.isEmpty, "\(result)")
  }

  /// The path of a script in `launch`, which lies beside `Tests`.
  private func script(_ name: String) -> String {
    #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/launch/\(name)"
  }
}
