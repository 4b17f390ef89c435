import Chunks
import Core
import MPI
import Preconditions
import Random
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
  /// What there is of each position of a chunk.
  package var records: [Record] { model.records }
  /// How the targets are named and scaled.
  package var description: TargetDescription { dataset.description.targets }
  /// H, the width of the uppermost layer.
  package var hiddenWidth: Int { model.hidden.columns }

  private let dataset: SequenceDataset
  private let communicator: Communicator
  private let lanes: Range<Int>
  /// On a rank without lanes one that plays none.
  private let model: Model
  private let sums: MeasureSums
  /// What draws inputs in a second pass, where there is one.
  private let sampler: InputSampler?
  /// What says targets in a last pass, where there is one.
  private let decoder: TargetDecoder?

  /// An evaluator for one split.
  ///
  /// - Parameters:
  ///   - memory: The weights; they may change between evaluations.
  ///   - lanes: The lanes over all ranks; fewer are used where the split is too short to fill a chunk of each, or to
  ///     give each more of its own than what leads in to it.
  ///   - chunk: T, the steps computed at once, unless streams are played whole.
  ///   - longest: The most steps of a stream that is played whole, and of its source.
  ///   - freeRunning: The seed of a second pass, in which the model reads what it draws itself in place of the true tokens, as
  ///     far as `InputSampler` replaces them; nil for none.
  ///   - decoding: How targets of pairs are looked for in a last pass, in which the model says them by itself; nil for none. The
  ///     weights may not change then.
  /// - Throws: `DataError` where the split holds no targets.
  package init(
    _ configuration: ModelConfiguration, memory: ParameterMemory, dataset: SequenceDataset,
    split: DatasetSplit,
    mode: ScheduleMode, longest: Int, lanes: Int, chunk: Int, freeRunning: UInt64? = nil,
    decoding: DecodingOptions? = nil, communicator: Communicator
  ) throws {
    let most =
      mode.forStreams(split.streams) == .whole
      ? split.streams.count : split.streams.pairs / max(chunk, Schedule.leadIn)
    let lanes = max(1, min(lanes, most))
    self.dataset = dataset
    self.communicator = communicator
    schedule = try Schedule(
      streams: split.streams, lanes: lanes, chunk: chunk, mode: mode, traversal: .evaluation, longest: longest
    )
    chunks = schedule.chunks(inEpoch: 0)
    self.lanes = RankBlocks.evenPart(of: lanes, rank: communicator.rank, ranks: communicator.size)
    let shape = ChunkShape(
      steps: schedule.chunk, sourceSteps: schedule.sourceSteps, shards: 1,
      lanesPerShard: max(1, self.lanes.count))
    model = Model(
      configuration, tracks: dataset.tracks, memory: memory.withoutGradients, shape: shape,
      precision: .float32)
    let firstLane = self.lanes.lowerBound
    sampler = freeRunning.map { seed in
      InputSampler(
        configuration, tracks: dataset.tracks, memory: memory, shape: shape, firstLane: firstLane,
        key: RandomKey(seed: seed, purpose: .freeRunning))
    }
    let attends = model.attendsToSources
    decoder = decoding.map {
      TargetDecoder(
        configuration, memory: memory, dataset.description, shape: shape, $0, attends: attends)
    }
    sums = MeasureSums(
      MeasureSet(configuration, tracks: dataset.tracks, dataset.description.targets), model)
  }

  /// The lanes that a rank computes.
  package func lanes(of rank: Int) -> Range<Int> {
    RankBlocks.evenPart(of: schedule.lanes, rank: rank, ranks: communicator.size)
  }

  /// Passes over the split; every rank gets the metrics of the whole. Collective.
  ///
  /// - Parameters:
  ///   - observe: Called on each rank for each chunk, with the rank's results. The calls are as many on all ranks, whatever
  ///     fails, so collectives may be made in them.
  ///   - progress: Called with the number of chunks done, of all passes, and of all.
  /// - Throws: `JobError` where on any rank the data could not be read or `observe` has thrown, `MPIError` where the
  ///   ranks cannot communicate.
  package func evaluate(
    observe: (_ chunk: EvaluatedChunk) throws -> Void = { _ in },
    progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
  ) throws -> Metrics {
    guard let metrics = try evaluate(shouldStop: nil, observe, progress) else {
      preconditionFailure("nobody asks to stop")
    }
    return metrics
  }

  /// Passes over the split as `evaluate(observe:)` does, unless any rank asks to stop. Collective.
  ///
  /// - Returns: nil where the pass was broken off.
  package func evaluate(unless shouldStop: () -> Bool) throws -> Metrics? {
    try withoutActuallyEscaping(shouldStop) { try evaluate(shouldStop: $0, { _ in }, { _, _ in }) }
  }

  private func evaluate(
    shouldStop: (() -> Bool)?, _ observe: (_ chunk: EvaluatedChunk) throws -> Void,
    _ progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> Metrics? {
    let all = chunks * (1 + (sampler == nil ? 0 : 1) + (decoder == nil ? 0 : 1))
    var done = 0
    func advance() {
      done += 1
      progress(done, all)
    }
    var attention = AttentionScores()
    let measured = try measure(shouldStop) { chunk in
      compute(chunk)
      if decoder != nil { try addAlignment(of: chunk, to: &attention) }
    } _: { chunk in
      try observe(results(ofChunk: chunk))
      advance()
    }
    guard var metrics = measured else { return nil }
    if let sampler {
      sampler.prepareWeights()
      let free = try measure(shouldStop) { chunk in
        sampler.replaceInputs(
          of: chunk, number: UInt32(truncatingIfNeeded: chunk.index), share: 1, from: model.states)
        compute(chunk)
      } _: { _ in
        advance()
      }
      guard let free else { return nil }
      metrics.add(freeRunning: free)
    }
    if let decoder {
      var scores = TextScores()
      let isWhole = try pass(shouldStop) {
        decoder.decode($0, &scores, &attention)
      } _: { _ in
        advance()
      }
      guard isWhole else { return nil }
      metrics.add(TextScores(numbers: try sum(scores.numbers)))
      metrics.add(AttentionScores(numbers: try sum(attention.numbers)))
    }
    return metrics
  }

  /// Passes over the split; nil where any rank asked to stop.
  private func measure(
    _ shouldStop: (() -> Bool)?, _ compute: (Chunk) throws -> Void, _ observe: (_ chunk: Int) throws -> Void
  ) throws -> Metrics? {
    model.clearStates()
    model.prepareWeights()
    sums.begin()
    return try pass(shouldStop, compute, observe) ? sums.conclude(gather: gather) : nil
  }

  /// Has `compute` take each chunk of the rank's lanes; returns whether it came to the end, since no rank asked to stop.
  private func pass(
    _ shouldStop: (() -> Bool)?, _ compute: (Chunk) throws -> Void, _ observe: (_ chunk: Int) throws -> Void
  ) throws -> Bool {
    // Also where nobody asks to stop, so that none waits long at the end for a rank that has more to do.
    var poll = StopPoll(communicator, every: shouldStop == nil ? 1 : 0.1)
    var isBrokenOff = false
    // A rank that fails goes through the motions to the end, where all learn of it: none waits for it in vain.
    var failure: (any Error)?
    var feeder: ChunkFeeder?
    defer { feeder?.close() }
    do { feeder = lanes.isEmpty ? nil : try ChunkFeeder(dataset, schedule, lanes: lanes) } catch {
      failure = error
    }
    for index in 0..<chunks {
      if try poll.stops(beforeTurn: index, shouldStop ?? { false }) {
        isBrokenOff = true
        break
      }
      if let feeder, failure == nil {
        do { try compute(try feeder.nextChunk()) } catch { failure = error }
      }
      do { try observe(index) } catch { failure = failure ?? error }
    }
    try communicator.agree { if let failure { throw failure } }
    return !isBrokenOff
  }

  /// The sums of the whole numbers of all ranks.
  private func sum(_ own: [Int]) throws -> [Int] {
    var all = [Int](repeating: 0, count: own.count * communicator.size)
    all.replaceSubrange(communicator.rank * own.count..<(communicator.rank + 1) * own.count, with: own)
    let blocks = RankBlocks(counts: [Int](repeating: own.count, count: communicator.size))
    try all.withUnsafeMutableBufferPointer { try communicator.allgather($0, blocks) }
    return own.indices.map { number in
      stride(from: number, to: all.count, by: own.count).reduce(0) { $0 + all[$1] }
    }
  }

  /// Adds how much each target that has just been read attended to where the dataset states that it follows from.
  ///
  /// - Throws: `HDF5Error` or `DataError` where the statements can't be read.
  private func addAlignment(of chunk: Chunk, to scores: inout AttentionScores) throws {
    guard dataset.hasAlignment, model.attendsToSources else { return }
    let streams = schedule.streams
    for lane in 0..<chunk.lanes where chunk.streams[lane] >= 0 {
      let stream = chunk.streams[lane]
      let positions = streams.source(of: stream).count
      // The target of a position is the token that lies ahead.
      let first = streams.offset(stream) + chunk.offsets[lane] + streams.lookahead
      let stated = try dataset.readAlignment(rows: first..<streams.offset(stream + 1), positions: positions)
      for (t, position) in stated.enumerated().prefix(chunk.steps) {
        let row = t * chunk.lanes + lane
        guard let position, chunk.weights[row] > 0 else { continue }
        scores.add(mass: model.sourceAttention(ofRow: row, positions: positions)[position])
      }
    }
  }

  private func compute(_ chunk: Chunk) {
    model.evaluate(chunk)
    sums.add(chunk)
  }

  private func results(ofChunk index: Int) -> EvaluatedChunk {
    EvaluatedChunk(
      index: index, rows: schedule.chunk * lanes.count, records: model.records, hidden: model.hidden)
  }

  /// The rows of sums of all ranks: of all lanes, or where they are exact one of each rank.
  private func gather(_ own: [Double], columns: Int, isExact: Bool) throws -> [Double] {
    let blocks = RankBlocks(
      counts: (0..<communicator.size).map { columns * (isExact ? 1 : lanes(of: $0).count) })
    var all = [Double](repeating: 0, count: blocks.count)
    let place = blocks.range(of: communicator.rank)
    // A rank without lanes has a model of one that plays nothing.
    all.replaceSubrange(place, with: own.prefix(place.count))
    try all.withUnsafeMutableBufferPointer { try communicator.allgather($0, blocks) }
    return all
  }
}

extension DataDescription {
  /// How the targets are named and scaled.
  package var targets: TargetDescription {
    switch target {
    case .frames(let columns):
      TargetDescription(
        units: columns.names.indices.map {
          TargetDescription.Unit(
            name: columns.names[$0], unit: columns.units[$0], mean: Double(columns.means[$0]),
            scale: Double(columns.scales[$0]))
        })
    case .tokens(let vocabulary):
      // The tokens that follow each other in a text are no labels.
      TargetDescription(labels: stored[.target] == nil ? [] : vocabulary.spellings)
    }
  }
}

/// The results of one rank for one chunk of a split. All arrays are time-major over the rank's lanes and valid only
/// during the call.
package struct EvaluatedChunk {
  /// The number of the chunk.
  package let index: Int
  /// T B, the positions; none where the rank has no lanes.
  package let rows: Int
  /// What there is of each position. [T B, columns]
  package let records: [Record]
  /// The outputs of the uppermost layer. [T B, H]
  package let hidden: Matrix
}
