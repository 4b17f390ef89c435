import Chunks
import Core
import Evaluation
import MPI
import Sequences

/// What a rank will take of memory, beyond what it has.
package struct MemoryFootprint: Equatable {
  /// The most bytes of its own at a time.
  package var own = 0
  /// The bytes of its part of the memory that the ranks of a host share.
  package var shared = 0
  /// The bytes of a checkpoint, on the rank that writes it.
  package var checkpoint = 0

  /// Nothing.
  package init() {}
}

extension StepPlan {
  /// What a rank takes for the steps of a training, and for the checkpoints between them.
  ///
  /// - Parameters:
  ///   - resumes: Whether it begins with a checkpoint.
  ///   - besides: Makes what else takes buffers meanwhile, with the memory of the weights.
  package func footprint(
    _ communicator: Communicator, resumes: Bool,
    besides: (ParameterMemory) throws -> AnyObject? = { _ in nil }
  ) throws -> MemoryFootprint {
    let rank = communicator.rank
    let isWriter = rank == 0
    var footprint = MemoryFootprint()
    var collected = 0
    footprint.own = try MemoryMeasurement.peakBytes {
      let (memory, packing) = sharedViews(rank: rank)
      let received = Buffer<Float>(
        count: PieceReducer.receivedCount(of: rank, layout: layout, plan: shards))
      let parts = StepParts(self, memory: memory, packing: packing, communicator: communicator)
      collected = MemoryMeasurement.peakBytes {
        CollectedState(
          layout, parts.optimizer, parts.model, lanes: configuration.training.lanes, isWriter: isWriter)
      }
      return (received, parts, try besides(memory))
    }
    let weights = layout.count * MemoryLayout<Float>.stride
    footprint.own += isWriter ? collected : resumes ? weights : 0
    footprint.checkpoint = collected
    footprint.shared = GradientExchange.sharedByteCount(
      of: rank, layout: layout, packedCount: packedCount, plan: shards)
    return footprint
  }

  /// The bytes that the first rank of a planned job takes of its own, and that all ranks of its host take together with what
  /// they share: by what was measured of a job of other ranks, each with as many lanes.
  package func bytesOfFirstHost(
    measured footprint: MemoryFootprint, by other: StepPlan
  ) -> (rank: Int, host: Int) {
    let stride = MemoryLayout<Float>.stride
    let states = type(of: configuration.training.optimizer.makeOptimizer([])).stateNames.count
    func ownFloats(_ plan: StepPlan) -> Int {
      let owned = Ownership(plan.layout, hosts: plan.shards.hosts).ranges(of: 0).reduce(0) { $0 + $1.count }
      return states * owned + PieceReducer.receivedCount(of: 0, layout: plan.layout, plan: plan.shards)
    }
    // The first rank of the job gathers checkpoints, which the others don't.
    let own = footprint.own + stride * (ownFloats(self) - ownFloats(other))
    let ranks = shards.hosts.ranks[0]
    let shared = ranks.reduce(0) {
      $0 + GradientExchange.sharedByteCount(of: $1, layout: layout, packedCount: packedCount, plan: shards)
    }
    return (own, ranks.count * (own - footprint.checkpoint) + footprint.checkpoint + shared)
  }

  /// Views of what lies in shared memory, which the exchange counts.
  private func sharedViews(rank: Int) -> (ParameterMemory, SharedPacking?) {
    MemoryMeasurement.uncounted {
      let memory = ParameterMemory(layout: layout, trees: shards.ownSubtrees(of: rank))
      let packed = Buffer<Float>(count: packedCount)
      let ranks = shards.hosts.ranks[shards.hosts.host(of: rank)]
      let packing = SharedPacking(
        floats: packed.elements, sharer: rank - ranks.lowerBound, sharers: ranks.count)
      return (memory, packedCount > 0 ? packing : nil)
    }
  }
}

extension Configuration {
  /// What a rank takes for a training on `dataset`, besides tokens that are held in memory.
  package func trainingFootprint(
    _ dataset: SequenceDataset, _ communicator: Communicator, resumes: Bool,
    holdsTokens: Bool
  ) throws -> MemoryFootprint {
    let schedule = try schedule(of: dataset)
    let plan = StepPlan(
      self, tracks: dataset.tracks, steps: schedule.chunk, sourceSteps: schedule.sourceSteps,
      hosts: communicator.hosts)
    var feeders = [(schedule, tiles: plan.tiles.tiles(of: communicator.rank))]
    var footprint = try plan.footprint(communicator, resumes: resumes) { memory in
      guard evaluation.every > 0 else { return nil }
      let evaluator = try Evaluator(
        model, memory: memory, dataset: dataset, split: dataset.split("validation"), mode: data.mode,
        longest: data.longest, lanes: training.lanes, chunk: evaluationChunk,
        freeRunning: freeRunningSeed, communicator: communicator)
      let lanes = evaluator.lanes(of: communicator.rank)
      feeders.append(
        (evaluator.schedule, lanes.isEmpty ? [] : [.whole(lanes, steps: evaluator.schedule.chunk)]))
      return evaluator
    }
    for (schedule, tiles) in feeders {
      footprint.own += ChunkFeeder.byteCount(of: dataset, schedule, tiles: tiles, isHeld: holdsTokens)
    }
    return footprint
  }
}
