import ArgumentParser
import FileSystem
import Glibc
import MPI
import Training

/// The program: reads the command line and runs the command.
@main
struct Seqtrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seqtrain",
    abstract: "Trains sequence models on CPU clusters.",
    discussion: """
      On several ranks: mpirun -n 8 seqtrain. Commands that train or evaluate run on all of them, the others on one.

      Exit status: 0 done; 1 failed, with a message; 3 stopped by SIGUSR1, SIGTERM or SIGINT with a checkpoint \
      written, and the same command goes on; 64 wrong arguments.
      """,
    version: "0.1.0",
    subcommands: [
      Train.self, EvalCommand.self, Generate.self, Inspect.self, DataCommand.self, Settings.self, Bench.self,
    ],
    defaultSubcommand: Train.self)

  static func main() {
    // The readers of a pipe may have seen enough; mpirun may be gone.
    signal(SIGPIPE, SIG_IGN)
    // A file that may not grow is an error as a full disk is.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if !(command is any ParallelCommand) { exitUnlessFirst(status: 0) }
      try command.run()
    } catch {
      let status = exitCode(for: error).rawValue
      exitUnlessFirst(status: status)
      if status == ExitCode.failure.rawValue && !(error is ExitCode) {
        report(error)
        Glibc.exit(status)
      }
      exit(withError: error)
    }
  }

  /// Ends the processes of a job that have nothing to say, since all have read the same command line.
  private static func exitUnlessFirst(status: Int32) {
    guard Environment.launchedRank > 0 else { return }
    // mpirun ends all ranks when it sees one fail: the first must have spoken before.
    if status != 0 { sleep(5) }
    Glibc.exit(status)
  }
}

/// Tells the user of a failure.
func report(_ error: any Error) { report("error: \(error)") }

/// Tells the user of what is not as it should be, but no reason to stop.
func report(warning: String) { report("warning: \(warning)") }

private func report(_ message: String) {
  try? Files.write(Array("seqtrain: \(message)\n".utf8), to: STDERR_FILENO, path: "standard error")
}
