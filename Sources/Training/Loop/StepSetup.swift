import Core
import MPI

/// What a rank trains with, made from a resolved configuration: its part of the model, the exchange and the optimiser.
/// The weights are left to `transfer`.
struct StepSetup {
  let step: TrainingStep
  let transfer: StateTransfer
  /// The lanes of each rank: those of its shards.
  let lanesOfRank: [Range<Int>]

  /// Collective.
  ///
  /// - Throws: `MPIError`, `ThreadError`.
  init(_ configuration: Configuration, vocabulary: Int, communicator: Communicator) throws {
    let training = configuration.training
    let rank = communicator.rank
    let plan = ShardPlan(shards: training.shards, ranks: communicator.size)
    let lanesPerShard = training.lanes / training.shards
    lanesOfRank = (0..<communicator.size).map { rank in
      let shards = plan.shards(of: rank)
      return shards.lowerBound * lanesPerShard..<shards.upperBound * lanesPerShard
    }
    let layout = LanguageModel.layout(configuration.model, vocabulary: vocabulary)
    let packedCount = LanguageModel.packedCount(configuration.model, precision: training.precision)
    let exchange = try makeExchange(communicator, layout: layout, packedCount: packedCount, plan: plan)
    let model = LanguageModel(
      configuration.model, memory: exchange.memory,
      shape: ChunkShape(
        steps: training.chunk, shards: plan.shards(of: rank).count, lanesPerShard: lanesPerShard),
      precision: training.precision, sharing: exchange.packing, firstLane: lanesOfRank[rank].lowerBound,
      dropoutSeed: training.seedBits, accumulates: training.accumulate > 1)
    let ranges = [UpdateRange](layout, slices: exchange.slices) { training.optimizer.decays($0.name) }
    let optimizer = training.optimizer.makeOptimizer(ranges)
    step = TrainingStep(
      communicator, model: model, exchange: exchange, optimizer: optimizer, lanesOfRank: lanesOfRank,
      accumulate: training.accumulate, clipNorm: training.clipNorm, restorable: training.nonFinite == .skip)
    transfer = StateTransfer(
      communicator: communicator, exchange: exchange, optimizer: optimizer, ranges: ranges, model: model,
      lanesOfRank: lanesOfRank)
  }
}
