import ArgumentParser
import Jobs
import MPI

/// `seqtrain train`
struct Train: ParallelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model, or goes on with a run that has begun.",
    discussion: """
      Everything about a run is kept in its directory. The same command again goes on where it stopped, on \
      any number of ranks up to training.shards times training.time_blocks. SIGUSR1 has it write a checkpoint \
      after the step and stop.
      """)

  @Argument(
    help: """
      A file of settings in YAML; without one, those of the run, or the defaults (seqtrain settings), or where no \
      data is named those of a first run on a text of its own.
      """,
    completion: .file(extensions: ["yaml", "yml"]))
  var configuration: String?

  @Option(
    help: "The run's directory; by default runs/NAME, after the file of settings.", completion: .directory)
  var run: String?

  @Option(
    help: ArgumentHelp("The dataset, as --set data.path=FILE.", valueName: "file"),
    completion: .file(extensions: ["h5"]))
  var data: String?

  @Option(help: ArgumentHelp("Changes one setting; may be given more than once.", valueName: "key=value"))
  var set: [String] = []

  @Flag(help: "Begin a new run; the directory must be empty.")
  var fresh = false

  func validate() throws {
    if run == "" { throw ValidationError("--run: expected a directory, found an empty name") }
  }

  /// The start of MPI takes some tenths of a second, in which a signal may come too.
  func prepare() { StopSignal.install(speaks: Environment.launchedRank == 0) }

  func run(_ communicator: Communicator) throws -> ExitStatus {
    let settings = set + (data.map { ["data.path=\($0)"] } ?? [])
    return try TrainingJob(configurationPath: configuration, settings: settings, runPath: run, fresh: fresh)
      .run(communicator)
  }
}
