import Evaluation
import Glibc
import MPI
import Sequences
import Synchronization
import Training

/// What the training module promises; `train` and `steady` take arguments, see `TrainingCommand`.
nonisolated(unsafe) let trainingScenarios: [String: (Communicator) throws -> Void] = [
  "exchanges": exchanges,
  "exchange-without-room": exchangeWithoutRoom,
  "plan-for-many-ranks": planForManyRanks,
  "train": { world in
    for words in CommandLine.arguments.dropFirst(2).split(separator: "--") {
      try TrainingCommand(Array(words)).run(world)
    }
  },
  "steady": { world in
    try checkSteadyState(
      TrainingCommand(Array(CommandLine.arguments.dropFirst(2))).makeTrainer(world).trainer, ranks: world.size
    )
  },
]

/// Trains as one of the arguments of `MultiRank train DATASET DIRECTORY [KEY=VALUE...] [-- ...]...` says, going on from
/// the checkpoints in the directory, and prints a line: the directory, how it ended, the step, the steps that were
/// skipped, and the digest of the newest checkpoint.
///
/// Besides settings there are `@stop=RANK:STEP`, for the rank to ask in that step that all stop; `@break=RANK:STEP`, for it
/// to ask when the step has been made; `@nan=STEP:COUNT`,
/// for a weight that is not a number in so many steps from that one on; `@hosts=COUNT:COUNT...`, for ranks that exchange as
/// if so many were on each host; `@flip=RANK:STEP`, for a bit of a weight to flip in the memory of the rank's host after that
/// step; `@slow=RANK`, for a rank that takes 50 ms between steps, and a line for the ranks' waits;
/// `@suspend=RANK:STEP`, for a rank that suspends itself after a step; `@hold=STEP:COUNT`, for the checkpoint of a step to be written when so many more have been made; and `@trace`, for a line for every step and validation.
struct TrainingCommand {
  private let dataset: String
  private let directory: String
  private var configuration = Configuration()
  /// Which rank asks, and from which step on.
  private var stop: (rank: Int, step: Int)?
  private var damage: Range<Int>?
  private var traces = false
  private var slowRank: Int?
  private var flip: (rank: Int, step: Int)?
  private var suspension: (rank: Int, step: Int)?
  private var held: Range<Int>?
  private var ranksOfHosts: [Int] = []

  init(_ words: [String]) throws {
    try expect(words.count >= 2, "DATASET DIRECTORY are given")
    (dataset, directory) = (words[0], words[1])
    configuration.data.path = dataset
    for word in words.dropFirst(2) {
      let numbers = word.drop { $0 != "=" }.dropFirst().split(separator: ":").compactMap { Int($0) }
      switch word.prefix(while: { $0 != "=" }) {
      case "@stop": stop = (numbers[0], numbers[1] - 1)
      case "@break": stop = (numbers[0], numbers[1])
      case "@nan": damage = numbers[0]..<numbers[0] + numbers[1]
      case "@hosts": ranksOfHosts = numbers
      case "@flip": flip = (numbers[0], numbers[1])
      case "@slow": slowRank = numbers[0]
      case "@suspend": suspension = (numbers[0], numbers[1])
      case "@hold": held = numbers[0]..<numbers[0] + numbers[1]
      case "@trace": traces = true
      default: try configuration.set(word)
      }
    }
  }

  /// The training at its beginning, and where its checkpoints are.
  func makeTrainer(_ world: Communicator) throws -> (trainer: Trainer, store: CheckpointStore) {
    let configuration = try configuration.resolved(ranks: world.size)
    let training = configuration.training
    let data = try SequenceDataset(dataset)
    let schedule = try Schedule(
      streams: data.split("train").streams, lanes: training.lanes, chunk: training.chunk,
      mode: configuration.data.mode, traversal: .training(seed: UInt64(training.seed)))
    let store = CheckpointStore(directory: directory)
    let trainer = try Trainer(
      configuration, dataset: data, schedule: schedule, store: store, communicator: world)
    return (trainer, store)
  }

  /// The world, on the hosts that are asked for.
  private func placed(_ world: Communicator) throws -> Communicator {
    guard !ranksOfHosts.isEmpty else { return world }
    let hosts = Hosts(ranks: ranksOfHosts)
    try expectEqual(hosts.rankCount, world.size)
    return try world.grouped(byHost: hosts.host(of: world.rank))
  }

  func run(_ world: Communicator) throws {
    let world = try placed(world)
    let (trainer, store) = try makeTrainer(world)
    let file = world.rank == 0 ? try store.newestSound().file : nil
    if try world.any(file != nil) { try trainer.resume(from: file) }
    let observer = ScenarioObserver(trainer, world, damage: damage, traces: traces && world.rank == 0)
    observer.slowRank = slowRank
    observer.held = held
    if let flip, flip.rank == world.rank { observer.flippedStep = flip.step }
    if let suspension, suspension.rank == world.rank { observer.suspendedStep = suspension.step }
    trainer.observer = observer
    try observer.damageWeights(beforeStep: trainer.progress.step + 1)
    let ending = try trainer.run {
      stop.map { world.rank == $0.rank && trainer.progress.step >= $0.step } ?? false
    }
    guard world.rank == 0 else { return }
    let digest = try store.newestSound().file?.digest() ?? "none"
    let name = directory.split(separator: "/").last ?? ""
    print("\(name) \(ending) \(trainer.progress.step) \(observer.skipped) \(digest)")
  }
}

/// Watches on every rank, and damages a weight when it is asked to.
private final class ScenarioObserver: TrainingObserver {
  private(set) var skipped = 0
  private unowned let trainer: Trainer
  private let world: Communicator
  private let damage: Range<Int>?
  private let traces: Bool
  private var whole: Float?
  var slowRank: Int?
  var held: Range<Int>?
  var suspendedStep: Int?
  var flippedStep: Int?
  private let made = Atomic(0)

  init(_ trainer: Trainer, _ world: Communicator, damage: Range<Int>?, traces: Bool) {
    self.trainer = trainer
    self.world = world
    self.damage = damage
    self.traces = traces
  }

  func didStep(_ progress: TrainingProgress, _ outcome: StepOutcome, learningRate: Double, waits: RankWaits?)
    throws
  {
    made.store(progress.step, ordering: .relaxed)
    if suspendedStep == progress.step { raise(SIGSTOP) }
    if flippedStep == progress.step {
      // The lowest bit of one that is not zero.
      let weight = trainer.step.model.memory.weights + 3
      weight.pointee = Float(bitPattern: weight.pointee.bitPattern ^ 1)
    }
    if slowRank == world.rank { usleep(50_000) }
    if slowRank != nil, let waits, world.rank == 0 { print("waits \(waits.slowestRank) \(waits.seconds)") }
    if traces {
      print("step \(progress.step) \(progress.epoch) \(outcome.loss) \(outcome.norm) \(learningRate)")
      if waits != nil { print("row \(progress.step) \(progress.lossSinceRow / progress.targetsSinceRow)") }
    }
    try damageWeights(beforeStep: progress.step + 1)
  }

  func didValidate(_ progress: TrainingProgress, _ metrics: Metrics) {
    guard traces else { return }
    print(
      "validation \(progress.step) \(metrics.loss) \(progress.bestStep) \(progress.learningRateFactor) "
        + "\(progress.stoppedEarly)")
  }

  func willSave(step: Int) {
    if traces { print("saving \(step)") }
    guard let held, held.lowerBound == step else { return }
    while made.load(ordering: .relaxed) < held.upperBound { usleep(1000) }
  }

  func note(_ message: String) {
    skipped += 1
    if traces { print(message) }
  }

  /// Makes the first weight NaN before the first step that is to find it so, and whole again after the last. Ranks may
  /// share the weights, so they wait for each other.
  func damageWeights(beforeStep step: Int) throws {
    guard let damage else { return }
    let weight = trainer.step.model.memory.weights
    try world.barrier()
    let value = weight.pointee
    try world.barrier()
    if step == damage.lowerBound {
      whole = value
      weight.pointee = .nan
    } else if step == damage.upperBound, let whole {
      weight.pointee = whole
    }
    try world.barrier()
    trainer.step.model.prepareWeights()
  }
}
