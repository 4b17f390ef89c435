import Core
import MPI
import Preconditions
import Sequences

/// Measures a model on a split of a dataset, lane by lane, over all ranks.
///
/// The split is laid over a fixed number of lanes, every pair counted once, in natural order, and the lanes over the ranks.
/// Products are float32, whatever the precision of training, so a lane's numbers do not depend on the lanes that share
/// its rank; sums are taken lane by lane in Double. The result has the same bits on any number of ranks.
package final class Evaluator {
  /// What is measured, and how it is laid over lanes.
  package let schedule: Schedule
  /// The number of chunks.
  package let chunks: Int
  /// H, the width of the uppermost layer.
  package let hiddenWidth: Int

  private let dataset: SequenceDataset
  private let communicator: Communicator
  private let lanes: Range<Int>
  private let model: LanguageModel?
  /// 1 where the prediction is the target, [T B].
  private let correct: Buffer<UInt8>

  /// An evaluator for one split.
  ///
  /// - Parameters:
  ///   - memory: The weights; they may change between evaluations.
  ///   - lanes: The lanes over all ranks; fewer are used where the split is too short to fill a chunk of each, or to
  ///     give each more of its own than what leads in to it.
  ///   - chunk: T, the steps computed at once.
  /// - Throws: `DataError` where the split holds no targets.
  package init(
    _ configuration: ModelConfiguration, memory: ParameterMemory, dataset: SequenceDataset,
    split: DatasetSplit,
    mode: ScheduleMode, lanes: Int, chunk: Int, communicator: Communicator
  ) throws {
    let lanes = max(1, min(lanes, split.streams.pairs / max(chunk, Schedule.leadIn)))
    self.dataset = dataset
    self.communicator = communicator
    hiddenWidth = configuration.hidden
    schedule = try Schedule(
      streams: split.streams, lanes: lanes, chunk: chunk, mode: mode, traversal: .evaluation)
    chunks = schedule.chunks(inEpoch: 0)
    self.lanes = RankBlocks.evenPart(of: lanes, rank: communicator.rank, ranks: communicator.size)
    correct = Buffer(count: chunk * self.lanes.count)
    model =
      self.lanes.isEmpty
      ? nil
      : LanguageModel(
        configuration, memory: memory.withoutGradients,
        shape: ChunkShape(steps: chunk, shards: 1, lanesPerShard: self.lanes.count), precision: .float32)
  }

  /// The lanes that a rank computes.
  package func lanes(of rank: Int) -> Range<Int> {
    RankBlocks.evenPart(of: schedule.lanes, rank: rank, ranks: communicator.size)
  }

  /// Passes once over the split; every rank gets the metrics of the whole. Collective.
  ///
  /// - Parameter observe: Called on each rank for each chunk, with the rank's results. The calls are as many on all
  ///   ranks, whatever fails, so collectives may be made in them.
  /// - Throws: `JobError` where on any rank the data could not be read or `observe` has thrown, `MPIError` where the
  ///   ranks cannot communicate.
  package func evaluate(observe: (_ chunk: EvaluatedChunk) throws -> Void = { _ in }) throws -> Metrics {
    guard let metrics = try evaluate(shouldStop: nil, observe: observe) else {
      preconditionFailure("nobody asks to stop")
    }
    return metrics
  }

  /// Passes over the split as `evaluate(observe:)` does, unless any rank asks to stop. Collective.
  ///
  /// - Returns: nil where the pass was broken off.
  package func evaluate(unless shouldStop: () -> Bool) throws -> Metrics? {
    try withoutActuallyEscaping(shouldStop) { try evaluate(shouldStop: $0, observe: { _ in }) }
  }

  private func evaluate(
    shouldStop: (() -> Bool)?, observe: (_ chunk: EvaluatedChunk) throws -> Void
  ) throws -> Metrics? {
    var poll = shouldStop == nil ? nil : StopPoll(communicator)
    var isBrokenOff = false
    model?.clearStates()
    model?.prepareWeights()
    var sums = [LaneSums](repeating: LaneSums(), count: lanes.count)
    // A rank that fails goes through the motions to the end, where all learn of it: none waits for it in vain.
    var failure: (any Error)?
    var feeder: ChunkFeeder?
    defer { feeder?.close() }
    do { feeder = lanes.isEmpty ? nil : try ChunkFeeder(dataset, schedule, lanes: lanes) } catch {
      failure = error
    }
    for index in 0..<chunks {
      if let shouldStop, try poll?.stops(beforeTurn: index, shouldStop) == true {
        isBrokenOff = true
        break
      }
      if let model, let feeder, failure == nil {
        do { compute(try feeder.nextChunk(), model, &sums) } catch { failure = error }
      }
      do { try observe(results(ofChunk: index)) } catch { failure = failure ?? error }
    }
    try communicator.agree { if let failure { throw failure } }
    return isBrokenOff ? nil : try total(sums)
  }

  private func compute(_ chunk: ChunkBuffer, _ model: LanguageModel, _ sums: inout [LaneSums]) {
    model.evaluate(chunk.view(number: 0))
    let losses = model.losses
    for position in 0..<correct.count {
      let isTarget = losses.predictions[position] == chunk.targets[position]
      correct.base[position] = isTarget && chunk.weights[position] > 0 ? 1 : 0
    }
    for lane in sums.indices {
      sums[lane].loss += losses.lanes[lane]
      sums[lane].targets += losses.weights[lane]
      for t in 0..<chunk.steps { sums[lane].correct += Int(correct.base[t * chunk.lanes + lane]) }
    }
  }

  private func results(ofChunk index: Int) -> EvaluatedChunk {
    let losses = model?.losses
    return EvaluatedChunk(
      index: index,
      losses: losses?.positions ?? UnsafeBufferPointer(start: nil, count: 0),
      predictions: losses?.predictions ?? UnsafeBufferPointer(start: nil, count: 0),
      correct: UnsafeBufferPointer(correct.elements),
      hidden: UnsafeBufferPointer(start: model?.hidden.base, count: model?.hidden.count ?? 0))
  }

  private func total(_ sums: [LaneSums]) throws -> Metrics {
    let blocks = RankBlocks(counts: (0..<communicator.size).map { 3 * lanes(of: $0).count })
    var all = [Double](repeating: 0, count: blocks.count)
    let own = sums.flatMap { [$0.loss, Double($0.correct), $0.targets] }
    all.replaceSubrange(blocks.range(of: communicator.rank), with: own)
    try all.withUnsafeMutableBufferPointer { try communicator.allgather($0, blocks) }
    var (loss, correct, targets) = (0.0, 0.0, 0.0)
    for lane in stride(from: 0, to: all.count, by: 3) {
      loss += all[lane]
      correct += all[lane + 1]
      targets += all[lane + 2]
    }
    return Metrics(lossSum: loss, correct: Int(correct), targets: Int(targets))
  }
}

/// The results of one rank for one chunk of a split. All arrays are time-major over the rank's lanes, empty where it
/// has none, and valid only during the call.
package struct EvaluatedChunk {
  /// The number of the chunk.
  package let index: Int
  /// The loss of each position in nats; zero where no target counts. [T B]
  package let losses: UnsafeBufferPointer<Double>
  /// The most probable token of each position. [T B]
  package let predictions: UnsafeBufferPointer<Int32>
  /// 1 where that is the target; 0 elsewhere, and where no target counts. [T B]
  package let correct: UnsafeBufferPointer<UInt8>
  /// The outputs of the uppermost layer. [T B, H]
  package let hidden: UnsafeBufferPointer<Float>
}

/// What a lane has come to.
private struct LaneSums {
  var loss = 0.0
  var correct = 0
  var targets = 0.0
}

extension ChunkBuffer {
  /// The chunk as the core reads it; `number` is its number in the run.
  package func view(number: UInt32) -> TokenChunk {
    TokenChunk(
      inputs: base(inputs), targets: base(targets), weights: base(weights), resets: base(resets),
      lanes: lanes,
      number: number)
  }

  private func base<T>(_ elements: UnsafeMutableBufferPointer<T>) -> UnsafePointer<T> {
    guard let base = elements.baseAddress else { preconditionFailure("a chunk has elements") }
    return UnsafePointer(base)
  }
}
