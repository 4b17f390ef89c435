import Core
import Evaluation
import FileSystem
import Glibc
import HDF5
import MPI
import Reports
import Sequences
import Settings
import Training

/// The job behind `seqtrain train`: begins a run, or continues the one in its directory.
///
/// Only rank 0 uses the run's directory; it broadcasts its decisions. Everything that can be refused is refused before
/// anything is written. A run begins with its first checkpoint: until then its settings may change.
package struct TrainingJob: Sendable {
  /// The configuration's file; nil for the one in the run's directory, or, without one, the defaults, or
  /// `Configuration.firstRun` if no data is named.
  package var configurationPath: String?
  /// Settings that override it, as `key=value`.
  package var settings: [String]
  /// The directory of the run; nil for one named after the configuration.
  package var runPath: String?
  /// Whether this must be a new run.
  package var fresh: Bool

  /// A job of these settings.
  package init(configurationPath: String?, settings: [String], runPath: String?, fresh: Bool) {
    self.configurationPath = configurationPath
    self.settings = settings
    self.runPath = runPath
    self.fresh = fresh
  }

  /// Trains until the run is finished, or until a signal asks any rank to stop (see `StopSignal`). Collective.
  ///
  /// - Throws: `JobError` where the ranks agree that the job cannot go on; any other error is one rank's alone.
  package func run(_ communicator: Communicator) throws -> ExitStatus {
    let isFirst = communicator.rank == 0
    let run = RunDirectory(runPath ?? RunDirectory.defaultPath(configuration: configurationPath))
    let plan = try communicator.agree { isFirst ? try resolve(run, ranks: communicator.size) : nil }
    let configuration = try Configuration(
      yaml: communicator.broadcast(plan?.configuration.yaml ?? ""), name: "the configuration of rank 0")
    let dataPath = try communicator.broadcast(plan?.dataPath ?? "")

    // The embedded text is made in the run's directory, so that is locked first; otherwise everything is checked before
    // anything is written.
    let isEmbedded = dataPath == run.embeddedDataPath
    func take() throws -> String? { try communicator.agree { isFirst ? try run.open(fresh: fresh) : nil } }
    var warning = isEmbedded ? try take() : nil
    if isEmbedded { try communicator.agree { if isFirst { try makeEmbeddedData(run.embeddedDataPath) } } }
    let (dataset, schedule) = try communicator.agree { try openData(dataPath, configuration) }
    try dataset.requireSame(on: communicator)
    try communicator.agree { try plan?.checkpoint.map { try requireData(dataset, of: $0) } }
    try communicator.agree { try plan?.checkpoint.map { try requireStepsLeft($0, configuration, schedule) } }
    let resumes = try communicator.any(plan?.checkpoint != nil)
    if !resumes {
      let layout = Blueprint(configuration.model, tracks: dataset.tracks).layout
      try communicator.agree { try configuration.training.optimizer.checkPatterns(layout) }
    }
    let (demand, holdsTokens) = try checkMemory(configuration, dataset, resumes: resumes, communicator)
    let room = try communicator.agree {
      isFirst ? try CheckpointRoom(configuration, bytes: demand.checkpoint, run: run) : nil
    }
    let lackOfRoom = try communicator.agree { try room?.check() }
    let tokens = holdsTokens ? try dataset.holdTokens(communicator) : nil
    if !resumes { try checkTokens(dataset, areHeld: tokens != nil, communicator) }
    if !isEmbedded { warning = try take() }
    try communicator.agree { try plan.map { try begin($0, run) } }
    let trainer = try Trainer(
      configuration, dataset: dataset, schedule: schedule, store: run.checkpoints, communicator: communicator)
    if resumes { try trainer.resume(from: plan?.checkpoint) }

    let reporter = try communicator.agree {
      try plan.map { plan in
        let reporter = try RunReporter(
          run: run, resumedFrom: trainer.progress, totalSteps: trainer.totalSteps,
          measure: configuration.evaluation.measure)
        reporter.introduce(
          trainer, changes: plan.changes, notes: [warning, lackOfRoom].compactMap { $0 } + plan.notes,
          memory: demand, checkpoints: room)
        try reporter.checkConsole()
        return reporter
      }
    }
    defer { reporter?.finish() }
    trainer.observer = reporter
    let ending = try trainer.run { StopSignal.received != nil || reporter?.failure != nil }
    // mpirun may signal the ranks that are still ending when the first have ended.
    StopSignal.silence()
    try communicator.agree { if let failure = reporter?.failure { throw failure } }
    reporter?.conclude(ending, trainer.progress, signal: StopSignal.received)
    try trainer.free()
    try tokens?.free()
    // A console that failed doesn't end training early; it makes a finished job fail.
    if ending == .finished { try communicator.agree { try reporter?.checkConsole() } }
    return ending == .finished ? .finished : .stopped
  }

  /// What rank 0 found in the run's directory, and decided.
  private struct Plan {
    /// The settings of the run from now on.
    let configuration: Configuration
    /// The settings in the directory.
    let saved: SavedSettings
    /// The dataset's path.
    let dataPath: String
    /// The steps of the checkpoints there.
    let steps: [Int]
    /// The newest sound one, which the run resumes from.
    let checkpoint: CheckpointFile?
    /// Damage in the directory.
    let notes: [String]
    /// The settings that have changed since the checkpoint.
    let changes: [SettingChange]
  }

  private func resolve(_ run: RunDirectory, ranks: Int) throws -> Plan {
    let saved = fresh ? .missing : try run.savedSettings()
    let (checkpoint, damaged) = fresh ? (nil, []) : try newestCheckpoint(run.checkpoints)
    if saved == .missing && checkpoint == nil && !fresh { try run.requireNoCheckpoints() }
    // What the run began with, whatever has happened to its file of settings since.
    let previous = try checkpoint.map {
      try Configuration.read(yaml: $0.header.configuration, name: "\($0.path): /configuration")
    }
    let hasSettings = saved != .missing || checkpoint != nil
    let damage = hasSettings ? saved.damage(expecting: previous?.keys ?? Configuration.settings.keys) : nil
    if let damage, checkpoint == nil, configurationPath == nil {
      throw ConfigurationError(
        "\(run.configurationPath) \(damage), and there is no checkpoint that holds the settings: remove it, and give them "
          + "again")
    }
    let own = damage == nil ? saved.configuration : previous?.configuration
    let namesData = settings.contains { $0.hasPrefix("data.path=") }
    var configuration =
      try configurationPath.map(readSettings) ?? own ?? (namesData ? Configuration() : .firstRun)
    for setting in settings { try configuration.set(setting) }
    if configuration.data.path.isEmpty { configuration.data.path = run.embeddedDataPath }
    do {
      configuration = try configuration.resolved(ranks: ranks, previous: previous?.configuration)
    } catch let error as ConfigurationError where previous != nil {
      throw ConfigurationError("\(run.path): \(error)")
    }
    let source = configurationPath ?? checkpoint?.path
    let note = damage.map {
      "\(run.configurationPath) \($0): it is written anew, with the settings of \(source ?? "this command")"
    }
    return Plan(
      configuration: configuration, saved: saved,
      dataPath: try dataPath(configuration, run, checkpoint, previous?.configuration),
      steps: try run.checkpoints.steps(), checkpoint: checkpoint, notes: damaged + [note].compactMap { $0 },
      changes: previous.map { configuration.changes(since: $0.configuration) } ?? [])
  }

  /// The dataset's path; searched for if the run resumes and its data is not named anew.
  private func dataPath(
    _ configuration: Configuration, _ run: RunDirectory, _ checkpoint: CheckpointFile?,
    _ previous: Configuration?
  ) throws -> String {
    let path = configuration.data.path
    guard let checkpoint, path == previous?.data.path, path != run.embeddedDataPath else { return path }
    return try DatasetSearch(checkpoint, name: path).find()
  }

  /// Writes the settings to the locked directory, unless another job has used it since the plan was made.
  private func begin(_ plan: Plan, _ run: RunDirectory) throws {
    guard try run.checkpoints.steps() == plan.steps else { throw RunError.changed(run.path) }
    try run.save(plan.configuration, replacing: plan.saved)
  }

  /// The settings of a file named by the user.
  private func readSettings(_ path: String) throws -> Configuration {
    func refuse(_ what: String) -> ConfigurationError { ConfigurationError("\(path): \(what)") }
    if Files.isDirectory(path) {
      throw refuse("a directory, where settings in YAML are expected; --run \(path) names a run")
    }
    if Files.isHDF5(path) {
      throw refuse(
        "an HDF5 file, where settings in YAML are expected; --set data.path=\(path) names a dataset to train on"
      )
    }
    do { return try Configuration(path: path) } catch let error as FileError where error.code == ENOENT {
      throw ConfigurationError("\(error); expected a file of settings, or a command (see seqtrain --help)")
    } catch  where !Files.isNamedAsYAML(path) {
      throw ConfigurationError(
        "\(error); settings in YAML are expected here; to train on a text, make it a dataset: seqtrain data import text "
          + "\(path) --output NAME.h5, and name that by --set data.path=NAME.h5")
    }
  }

  /// Makes the text for runs that name no data; it is the same everywhere.
  private func makeEmbeddedData(_ path: String) throws {
    guard !Files.exists(path) else { return }
    try TaleCorpus().write(path, seed: 1, command: "seqtrain data generate grammar --output \(path)")
  }

  private func openData(_ path: String, _ configuration: Configuration) throws -> (SequenceDataset, Schedule)
  {
    let dataset = try SequenceDataset(path)
    try configuration.check(dataset.tracks, dataset.description.targets)
    if configuration.evaluation.every > 0 { _ = try dataset.split("validation") }
    return (dataset, try configuration.schedule(of: dataset))
  }

  /// Checks all tokens before a run begins, rather than after hours of training. Those held in memory have been read;
  /// of others rank 0 reads all for the fingerprint, the other ranks their shares. Collective.
  private func checkTokens(_ dataset: SequenceDataset, areHeld: Bool, _ communicator: Communicator) throws {
    let share = RankBlocks.evenPart(
      of: dataset.streams.tokens.count, rank: communicator.rank, ranks: communicator.size)
    try communicator.agree {
      if communicator.rank == 0 {
        try dataset.verify()
      } else if !areHeld {
        try dataset.check(positions: share)
      }
    }
  }

  /// The memory that training takes, and whether that includes all tokens; throws if the hosts lack it. Collective.
  private func checkMemory(
    _ configuration: Configuration, _ dataset: SequenceDataset, resumes: Bool, _ communicator: Communicator
  ) throws -> (MemoryDemand, holdsTokens: Bool) {
    let check = try MemoryCheck(communicator)
    let result = try check.require(configuration, tokens: dataset.byteCount, mayChange: !resumes) {
      try $0.trainingFootprint(dataset, communicator, resumes: resumes, holdsTokens: $1)
    }
    try check.free()
    return result
  }

  /// The newest sound checkpoint of the run, if it has one, and what is wrong with newer ones.
  private func newestCheckpoint(_ store: CheckpointStore) throws -> (CheckpointFile?, failures: [String]) {
    let (file, failures) = try store.newestSound()
    guard file != nil || failures.isEmpty else {
      throw TrainingError(
        "\(store.directory): no checkpoint can be read: \(failures.joined(separator: "; ")); move them away to "
          + "begin anew, or put back sound ones")
    }
    return (file, failures)
  }

  /// Refuses a run that would end before the step where it is.
  private func requireStepsLeft(
    _ checkpoint: CheckpointFile, _ configuration: Configuration, _ schedule: Schedule
  ) throws {
    let step = checkpoint.header.progress.step
    let training = configuration.training
    let total = try training.totalSteps(chunksPerEpoch: schedule.chunks(inEpoch: 0))
    guard total < step else { return }
    let length = total == training.steps ? "training.steps \(total)" : "training.epochs \(training.epochs)"
    throw TrainingError(
      "\(runPath ?? "the run"): \(length) would end it before step \(step), where it is; set training.steps higher to go on"
    )
  }

  /// Ensures that the dataset is the one the run was trained on.
  private func requireData(_ dataset: SequenceDataset, of checkpoint: CheckpointFile) throws {
    let fingerprint = checkpoint.header.datasetFingerprint
    guard fingerprint == dataset.fingerprint else {
      throw TrainingError(
        "\(dataset.path): its fingerprint is \(dataset.fingerprint), but the run was trained on \(fingerprint); put the "
          + "dataset back as it was, or begin another run with --run")
    }
  }
}
