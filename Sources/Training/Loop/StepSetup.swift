import Chunks
import Core
import Evaluation
import MPI
import Random

/// How a resolved configuration lays a training out over the ranks; takes no memory to speak of.
package struct StepPlan {
  let configuration: Configuration
  package let layout: ParameterLayout
  package let tiles: TilePlan
  /// The floats of the packed weights that ranks can share.
  let packedCount: Int
  /// What chunks hold.
  let tracks: TrackSet
  /// Those of its source, where streams are pairs.
  let sourceSteps: Int

  /// The plan of a resolved configuration for chunks of up to `steps` steps of these tracks, and `sourceSteps` of their
  /// sources.
  package init(
    _ configuration: Configuration, tracks: TrackSet, steps: Int, sourceSteps: Int = 0, hosts: Hosts
  ) {
    self.configuration = configuration
    self.tracks = tracks
    tiles = TilePlan(configuration.training, chunk: steps, hosts: hosts)
    self.sourceSteps = sourceSteps
    let blueprint = Blueprint(configuration.model, tracks: tracks)
    layout = blueprint.layout
    packedCount = blueprint.packedCount(configuration.training.precision)
  }

  /// The tiles, as the shards of the sums over ranks.
  package var shards: ShardPlan { tiles.leaves }
}

/// What a rank computes steps with besides the exchange: its part of the model and of the optimiser.
struct StepParts {
  let model: Model
  let ranges: [UpdateRange]
  let optimizer: any Optimizer
  let report: StepReport
  /// What replaces inputs, where any are drawn.
  let sampling: ScheduledSampling?
  /// What trains on drawn inputs besides, where there is a discriminator.
  let professor: ProfessorForcing?
  /// What passes states between ranks, where chunks are cut into blocks of time steps.
  let messages: StateMessages?
  /// What a rank that can't read its data goes through in place of a chunk, where others wait for its states.
  let padding: Chunk?
  /// Room for the carried states before a step, in the order of the model's; none where they are never put back.
  let entering: [Buffer<Float>]

  init(
    _ plan: StepPlan, memory: ParameterMemory, packing: SharedPacking?, communicator: Communicator
  ) {
    let training = plan.configuration.training
    let rank = communicator.rank
    let shape = plan.tiles.shape(of: rank, sourceSteps: plan.sourceSteps)
    let tiles = plan.tiles.tiles(of: rank)
    messages = plan.tiles.passesStates ? StateMessages(communicator, plan.tiles) : nil
    padding = messages.map { _ in Chunk(steps: 1, lanes: shape.lanes, tracks: plan.tracks) }
    model = Model(
      plan.configuration.model, tracks: plan.tracks, memory: memory, shape: shape,
      precision: training.precision, sharing: packing, tiles: tiles, messages: messages,
      dropoutSeed: training.seedBits,
      accumulates: training.accumulate > 1 || plan.configuration.model.discriminator.hidden > 0)
    func sampler(_ purpose: Purpose) -> InputSampler {
      InputSampler(
        plan.configuration.model, tracks: plan.tracks, memory: memory, shape: shape,
        firstLane: tiles[0].lanes.lowerBound, key: RandomKey(seed: training.seedBits, purpose: purpose))
    }
    sampling =
      training.sampling.decay == .none ? nil : ScheduledSampling(training.sampling, sampler(.sampling))
    professor =
      model.discriminator == nil
      ? nil : ProfessorForcing(model, tracks: plan.tracks, sampler(.freeRunning))
    let slices = Ownership(plan.layout, hosts: communicator.hosts).ranges(of: rank)
    ranges = [UpdateRange](plan.layout, slices: slices, group: training.optimizer.group)
    optimizer = training.optimizer.makeOptimizer(ranges)
    entering = training.nonFinite == .skip ? model.states.map { Buffer(count: $0.values.count) } : []
    report = StepReport(
      communicator, layout: plan.layout, tiles: plan.tiles, stateNames: model.states.map(\.name),
      hasDiscriminator: model.discriminator != nil)
  }
}

/// What a rank trains with, made from a resolved configuration: its part of the model, the exchange and the optimiser.
/// The weights are left to `transfer`.
package struct StepSetup {
  /// What makes the updates.
  package let step: TrainingStep
  /// What moves weights and states to all ranks, and to and from checkpoints.
  package let transfer: StateTransfer
  /// What each rank computes.
  package let tiles: TilePlan

  /// Collective.
  ///
  /// - Throws: `JobError` where the system has not the memory that ranks share; `MPIError`, `ThreadError`.
  package init(
    _ configuration: Configuration, tracks: TrackSet, steps: Int, sourceSteps: Int = 0,
    communicator: Communicator
  ) throws {
    let plan = StepPlan(
      configuration, tracks: tracks, steps: steps, sourceSteps: sourceSteps, hosts: communicator.hosts)
    tiles = plan.tiles
    let exchange = try GradientExchange(
      communicator, layout: plan.layout, packedCount: plan.packedCount, plan: plan.shards,
      overlapping: plan.tiles.passesStates ? false : nil)
    let parts = StepParts(
      plan, memory: exchange.memory, packing: exchange.packing, communicator: communicator)
    step = TrainingStep(
      communicator, parts, exchange: exchange, accumulate: configuration.training.accumulate,
      clipNorm: configuration.training.clipNorm, checkEvery: configuration.training.checkEvery)
    transfer = StateTransfer(
      communicator: communicator, exchange: exchange, optimizer: parts.optimizer, ranges: parts.ranges,
      model: parts.model, tiles: tiles)
  }
}
