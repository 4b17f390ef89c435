import Core
import FileSystem
import Settings

/// What happens when a loss, gradient or state is not finite.
package enum NonFinitePolicy: String, Sendable, CaseIterable {
  /// The job ends, naming step, rank, lane and tensor.
  case stop
  /// The step is left out, at most so many times in a row.
  case skip
}

extension NonFinitePolicy: SettingValue {}
extension Precision: SettingValue {}

/// How it is trained.
package struct TrainingConfiguration: Sendable, Equatable {
  /// B, the rows of the global batch, over all ranks.
  package var lanes = 48
  /// The fixed groups of lanes that are spread over ranks; 0 for the ranks of the run's first launch.
  package var shards = 0
  /// T, the steps of every lane between two cuts of the gradient.
  package var chunk = 64
  /// P, the blocks of time steps that chunks are cut into, which ranks may share.
  package var timeBlocks = 1
  /// The updates after which the run is finished; 0 where `epochs` alone decides.
  package var steps = 0
  /// The passes over the data, each counted as the chunks of the first, after which the run is finished; 0 where `steps`
  /// alone decides.
  package var epochs = 0
  /// The chunks of every lane whose gradients make one update.
  package var accumulate = 1
  /// The seed of every random number.
  package var seed = 1
  /// The global gradient norm above which gradients are scaled down; 0 for no clipping.
  package var clipNorm = 1.0
  /// The type of the inputs of matrix products.
  package var precision = Precision.float32
  /// What happens when a loss, gradient or state is not finite.
  package var nonFinite = NonFinitePolicy.stop
  /// The most steps in a row that may be skipped.
  package var nonFiniteLimit = 10
  /// The steps between two rows of metrics.
  package var logEvery = 10
  /// The steps between two comparisons of the hosts' weights; 0 for none.
  package var checkEvery = 1
  /// The seconds that a rank waits for others before the job is ended; 0 for any time.
  package var timeout = 300
  /// Which inputs the model draws itself.
  package var sampling = SamplingConfiguration()
  /// How weights are updated.
  package var optimizer = OptimizerConfiguration()
  /// How the learning rate moves.
  package var schedule = ScheduleConfiguration()

  /// The most updates of a run: in 32 bits they key random numbers.
  static let mostSteps = Int(UInt32.max)

  /// The updates of a run that sets neither `steps` nor `epochs`.
  package static let defaultSteps = 1000

  /// The defaults.
  package init() {}
}

extension TrainingConfiguration {
  /// Its settings, and those of its parts.
  package static let settings =
    own
    + SamplingConfiguration.settings.lifted("sampling", \.sampling)
    + OptimizerConfiguration.settings.lifted("optimizer", \.optimizer)
    + ScheduleConfiguration.settings.lifted("schedule", \.schedule)

  private static let own: [Setting<TrainingConfiguration>] = [
    Setting(
      "lanes", \.lanes, .within(1, 1 << 24), "Rows of the batch over all ranks",
      synonyms: "batch batchsize bs batchlanes globalbatchsize trainbatchsize"),
    Setting(
      "shards", \.shards, .within(0, 1 << 16),
      "Groups of lanes spread over ranks, at least as many as ranks; 0: the ranks of the first launch"),
    Setting(
      "chunk", \.chunk, .within(1, 1 << 20), "Steps in time that gradients run back",
      synonyms:
        "seqlen seqlength sequencelength bptt tbptt context contextlength blocksize unroll chunksize"),
    Setting(
      "time_blocks", \.timeBlocks, .within(1, 1 << 16),
      "Blocks of time steps that each chunk is cut into, for more ranks than shards: linear recurrences and convolutions",
      synonyms: "contextparallel contextparallelsize sequenceparallel sequenceparallelsize cpsize spsize"),
    Setting(
      "steps", \.steps, .within(0, mostSteps), mayChange: true,
      "Updates to make; 0: as many as the epochs have, or 1000. With both set, what comes first",
      synonyms: "maxsteps numsteps nsteps totalsteps trainsteps iterations iters maxiters numiters updates"),
    Setting(
      "epochs", \.epochs, .within(0, mostSteps), mayChange: true,
      "Passes over the data to make, each of as many chunks as the first; 0: as many as the steps need",
      synonyms: "numepochs maxepochs nepochs numtrainepochs"),
    Setting(
      "accumulate", \.accumulate, .within(1, 1 << 16), "Chunks of every lane in one update",
      synonyms: "gradientaccumulationsteps accumulationsteps accumgrad gradaccum"),
    Setting(
      "seed", \.seed, .within(0, Int.max), "Seed of every random number", synonyms: "randomseed manualseed"),
    Setting(
      "clip_norm", \.clipNorm, .within(0, 1e30),
      "Global gradient norm above which gradients are scaled down to it; 0: never",
      synonyms: "clip gradclip clipgrad gradientclip gradientclipval maxgradnorm clipgradnorm"),
    Setting(
      "precision", \.precision,
      "Inputs of matrix products; weights, sums, gates and states are float32",
      synonyms: "dtype amp mixedprecision fp16 bf16 floattype"),
    Setting(
      "non_finite", \.nonFinite, mayChange: true,
      "When a loss, gradient or state is not finite: stop the job, or skip the step"),
    Setting(
      "non_finite_limit", \.nonFiniteLimit, .within(1, mostSteps), mayChange: true,
      "Most steps in a row that are skipped before the job is stopped"),
    Setting(
      "log_every", \.logEvery, .within(1, mostSteps), mayChange: true,
      "Steps between two rows of metrics", synonyms: "loginterval logsteps loggingsteps logfreq printevery"),
    Setting(
      "check_every", \.checkEvery, .within(0, mostSteps), mayChange: true,
      "On several hosts: steps between two comparisons of their copies of the weights, which find a bit that has flipped in "
        + "the step before; 0: never"),
    Setting(
      "timeout", \.timeout, .within(0, 1 << 24), mayChange: true,
      "Seconds that a rank waits for others before the job is ended, evaluations and translations too; 0: any time"
    ),
  ]
}

extension TrainingConfiguration {
  /// Checks its settings against each other and the number of ranks.
  ///
  /// - Parameter hasBegun: Whether the run has, so that its shards can't change any more.
  /// - Throws: `ConfigurationError`.
  func check(ranks: Int, hasBegun: Bool) throws {
    guard lanes % shards == 0 else {
      throw ConfigurationError(
        "training.lanes \(lanes) can't be divided evenly into training.shards \(shards); "
          + "set training.lanes to a multiple, such as \((lanes / shards + 1) * shards)")
    }
    // Positions of a chunk are numbered in 32 bits.
    guard lanes * chunk <= Int32.max else {
      throw ConfigurationError(
        "training.lanes \(lanes) times training.chunk \(chunk) are more than \(Int32.max) positions of a chunk; "
          + "set one of them lower")
    }
    guard chunk % timeBlocks == 0 else {
      throw ConfigurationError(
        "training.chunk \(chunk) can't be cut evenly into training.time_blocks \(timeBlocks); set training.chunk to a "
          + "multiple, such as \((chunk / timeBlocks + 1) * timeBlocks)")
    }
    guard ranks <= shards * timeBlocks else { throw tooManyRanks(ranks, hasBegun: hasBegun) }
    try optimizer.check()
  }

  private func tooManyRanks(_ ranks: Int, hasBegun: Bool) -> ConfigurationError {
    let most = Wording.counted(shards * timeBlocks, "rank")
    guard timeBlocks > 1 else {
      return ConfigurationError(
        "\(ranks) ranks for training.shards \(shards): each rank needs a shard; start at most \(most)"
          + (hasBegun ? "" : ", or set training.shards higher"))
    }
    return ConfigurationError(
      "\(ranks) ranks for training.shards \(shards) times training.time_blocks \(timeBlocks): each rank needs a block of a "
        + "shard's lanes; start at most \(most)" + (hasBegun ? "" : ", or set one of them higher"))
  }

  /// The seed as the generators take it.
  package var seedBits: UInt64 { UInt64(bitPattern: Int64(seed)) }

  /// The updates of a run over a split of so many chunks an epoch: `steps`, or `epochs`, whichever comes first.
  ///
  /// The number is known from the beginning, since schedules of the learning rate need it. In packed mode, where each
  /// epoch has its own order of streams and so its own number of chunks, all count as the first.
  ///
  /// - Parameter chunksPerEpoch: Asked for only where `epochs` is set.
  /// - Throws: `ConfigurationError` where `epochs` alone decides, and are more steps than a run can have.
  package func totalSteps(chunksPerEpoch: @autoclosure () -> Int) throws -> Int {
    let most = steps > 0 ? steps : Self.mostSteps
    guard epochs > 0 else { return most }
    let chunksPerEpoch = chunksPerEpoch()
    let (chunks, overflows) = epochs.multipliedReportingOverflow(by: chunksPerEpoch)
    let inEpochs = overflows ? Int.max : max(1, chunks / accumulate)
    guard inEpochs > most else { return inEpochs }
    guard steps > 0 else {
      throw ConfigurationError(
        "training.epochs \(epochs), of \(chunksPerEpoch) chunks each, are more than \(Self.mostSteps) steps; set "
          + "training.epochs to at most \(Self.mostSteps * accumulate / chunksPerEpoch), or training.steps")
    }
    return steps
  }
}
