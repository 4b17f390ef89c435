import ArgumentParser
import FileSystem
import Glibc
import Jobs
import MPI
import Settings
import Training

/// The program: reads the command line and runs the command.
@main
struct Seqtrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seqtrain",
    abstract: "Trains sequence models on CPU clusters.",
    discussion: """
      On several ranks: mpirun -n 8 seqtrain. Commands that train, evaluate, translate or measure speed run on all of them, the \
      others on one.

      Exit status: 0 done; 1 failed, with a message; 3 stopped by SIGUSR1, SIGTERM, SIGINT or SIGHUP with \
      a checkpoint written, and the same command goes on; 64 wrong arguments.

      Output that can't be written, to a full disk for one, is a failure. train does not stop for it, but ends with \
      status 1; it begins nothing where its first lines can't be written.
      """,
    version: "0.1.0",
    subcommands: [
      Train.self, EvalCommand.self, Predict.self, Forecast.self, Generate.self, Translate.self, Inspect.self,
      DataCommand.self, Settings.self, Bench.self,
    ],
    defaultSubcommand: Train.self)

  static func main() {
    StandardOutput.reserveDescriptors()
    // The readers of a pipe may have seen enough; mpirun may be gone.
    signal(SIGPIPE, SIG_IGN)
    // A file that may not grow is an error as a full disk is.
    signal(SIGXFSZ, SIG_IGN)
    do {
      try requireCommand()
      try DataCommand.requireKnown(CommandLine.arguments)
      var command = try parseAsRoot()
      if !(command is any ParallelCommand) { exitUnlessFirst(status: 0) }
      try command.run()
    } catch {
      end(with: error)
    }
  }

  /// Refuses a first word that is no command, and no file that the default command could read. Rank 0 judges it, whose
  /// files are the job's.
  private static func requireCommand() throws {
    guard Environment.launchedRank == 0, let name = CommandLine.arguments.dropFirst().first,
      !name.hasPrefix("-"), !name.contains(where: "./".contains), !Files.exists(name)
    else { return }
    let names = configuration.subcommands.map { $0._commandName } + ["help"]
    guard !names.contains(name),
      let nearest = names.min(by: { editDistance(name, $0) < editDistance(name, $1) })
    else { return }
    throw ValidationError("\(name): neither a command nor a file; the nearest command is \(nearest)")
  }

  /// Prints what was asked for, such as help, or reports an error, and ends the process.
  private static func end(with error: any Error) -> Never {
    let status = exitCode(for: error).rawValue
    exitUnlessFirst(status: status)
    do {
      if status == ExitCode.failure.rawValue && !(error is ExitCode) { throw error }
      let text = fullMessage(for: error)
      if status == 0 { try printLine(text) } else if !text.isEmpty { report(text.printable(lines: true)) }
      Glibc.exit(status)
    } catch {
      report(error)
      Glibc.exit(ExitStatus.failed.rawValue)
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
