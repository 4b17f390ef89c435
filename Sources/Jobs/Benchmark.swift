import Chunks
import Core
import FileSystem
import Glibc
import MPI
import Preconditions
import Random
import Sequences
import Training

/// The measurements of a benchmark of training steps.
package struct BenchmarkResult: Sendable {
  /// The number of ranks.
  package let ranks: Int
  /// The median time of a step, in seconds.
  package let medianSeconds: Double
  /// The shortest time of a step, in seconds.
  package let minimumSeconds: Double
  /// Positions a second over all ranks, at the median; of pairs, those of targets.
  package let tokensPerSecond: Double
  /// The rank's peak resident memory, in bytes.
  package let peakMemory: Int
  /// The rank's seconds a step by part.
  package let breakdown: [(part: StepMeter.Part, seconds: Double)]
  /// The rank's seconds a step by pass.
  package let passes: [StepMeter.Pass: Double]
  /// The seconds in which rank 0 has written a checkpoint; nil where it has written none.
  package let checkpointSeconds: Double?
  /// Floating-point operations a step of the rank's matrix products.
  package let operations: Double
  /// Bytes a step of the operands and results of the rank's matrix products.
  package let bytes: Double

  /// Floating-point operations a second while products are computed.
  package var productRate: Double {
    operations / (breakdown.first { $0.part == .products }?.seconds ?? 0)
  }
}

/// Measures full training steps on random data: forward, backward, exchange, clipping, update; the state is carried.
package struct Benchmark: Sendable {
  /// The model, and the training's lanes, chunk, precision and optimiser.
  package var configuration: Configuration
  /// What inputs and targets are, and the sources of pairs.
  package var data: TrackKind
  /// Of pairs, the least and the most positions of sources and targets; nil for streams, of `training.chunk` in each step.
  package var pairs: ClosedRange<Int>?
  /// The number of timed steps.
  package var steps: Int
  /// The number of untimed steps before them.
  package var warmup: Int
  /// Where a checkpoint is written once they are made, and removed again; nil for none.
  var checkpointDirectory: String?

  /// A benchmark of a resolved configuration.
  package init(_ configuration: Configuration, data: TrackKind, steps: Int, warmup: Int) {
    precondition(steps > 0 && warmup >= 0, "a benchmark has steps")
    self.configuration = configuration
    self.data = data
    self.steps = steps
    self.warmup = warmup
  }

  private var tracks: TrackSet {
    TrackSet([.input: data, .target: data], source: pairs == nil ? nil : data)
  }

  /// The positions of a chunk, and those of its sources.
  private var longest: (steps: Int, sourceSteps: Int) {
    pairs.map { ($0.upperBound, $0.upperBound) } ?? (configuration.training.chunk, 0)
  }

  /// Runs the benchmark; each rank returns its own measurements. Collective.
  ///
  /// - Throws: `JobError` if the hosts have too little memory; `MPIError`.
  package func run(_ communicator: Communicator) throws -> BenchmarkResult {
    let training = configuration.training
    try checkMemory(communicator)
    let setup = try StepSetup(
      configuration, tracks: tracks, steps: longest.steps, sourceSteps: longest.sourceSteps,
      communicator: communicator)
    _ = try setup.transfer.initialize(seed: training.seedBits) { false }
    let own = setup.tiles.tiles(of: communicator.rank)
    let buffer = Chunk(
      steps: setup.tiles.steps, sourceSteps: longest.sourceSteps, lanes: own.columnCount, tracks: tracks)
    fill(buffer, own)
    var seconds: [Double] = []
    let meter = setup.step.model.meter
    for index in 0..<warmup + steps {
      try communicator.barrier()
      if index == warmup { meter.reset() }
      let start = monotonicSeconds()
      _ = try setup.step.run(
        step: index + 1, firstChunk: index * training.accumulate,
        learningRate: training.optimizer.learningRate, shouldStop: { false }, nextChunk: { buffer })
      if index >= warmup { seconds.append(monotonicSeconds() - start) }
    }
    let checkpointSeconds = try checkpointDirectory.map {
      try measureCheckpoint(setup.transfer, in: $0, communicator)
    }
    try setup.step.exchange.free()
    seconds.sort()
    let median = (seconds[seconds.count / 2] + seconds[(seconds.count - 1) / 2]) / 2
    return BenchmarkResult(
      ranks: communicator.size, medianSeconds: median, minimumSeconds: seconds[0],
      tokensPerSecond: Double(
        (0..<training.lanes).reduce(0) { $0 + positions(lane: $1).target } * training.accumulate) / median,
      peakMemory: peakResidentMemory(),
      breakdown: StepMeter.Part.allCases.map { ($0, meter.seconds($0) / Double(steps)) },
      passes: Dictionary(
        uniqueKeysWithValues: StepMeter.Pass.allCases.map { ($0, meter.seconds($0) / Double(steps)) }),
      checkpointSeconds: checkpointSeconds,
      operations: meter.operations / Double(steps), bytes: meter.bytes / Double(steps))
  }

  /// The seconds in which a checkpoint is written to a directory below `directory`, as those of runs are. Collective.
  private func measureCheckpoint(
    _ transfer: StateTransfer, in directory: String, _ communicator: Communicator
  ) throws -> Double {
    let store = CheckpointStore(directory: "\(directory)/.seqtrain-bench-\(getpid())")
    defer { if communicator.rank == 0 { Files.removeDirectory(store.directory) } }
    try communicator.agree {
      if communicator.rank == 0 { try Files.makeDirectory(store.directory) }
    }
    let header = try CheckpointHeader(
      configuration: configuration.yaml, data: description, datasetFingerprint: "", datasetPlace: nil,
      mode: .contiguous, optimizer: configuration.training.optimizer.name.rawValue,
      progress: TrainingProgress())
    return try transfer.measureCheckpoint(header, in: store)
  }

  /// What such data would be.
  private var description: DataDescription {
    get throws {
      switch data {
      case .tokens(let count):
        .language(try Vocabulary(level: .word, spellings: (0..<count).map { "\($0)" }))
      case .frames(let width):
        try DataDescription([.input: .frames(FrameColumns((0..<width).map { "\($0)" }))])
      }
    }
  }

  /// Throws if the hosts lack memory for the steps. Collective.
  private func checkMemory(_ communicator: Communicator) throws {
    let check = try MemoryCheck(communicator)
    _ = try check.require(configuration, mayChange: true) { configuration, _ in
      try StepPlan(
        configuration, tracks: tracks, steps: longest.steps, sourceSteps: longest.sourceSteps,
        hosts: communicator.hosts
      )
      .footprint(communicator, resumes: false)
    }
    try check.free()
  }

  /// Random inputs, targets and sources, a function of the lane and of where a tile of it begins; without resets, but for
  /// pairs.
  private func fill(_ buffer: Chunk, _ tiles: [Tile]) {
    buffer.clear(steps: buffer.capacity)
    if let source = buffer.source { source.clear(steps: source.capacity) }
    for tile in tiles {
      for (column, lane) in zip(tile.columns, tile.lanes) {
        var random = random(lane, .values, from: tile.steps.lowerBound)
        let positions = positions(lane: lane)
        func fill(_ chunk: Chunk, _ count: Int, _ roles: [TrackRole]) {
          for t in 0..<count {
            let place = t * chunk.lanes + column
            for role in roles { draw(&random, to: chunk, role, place) }
            chunk.weights[place] = 1
            chunk.resets[place] = pairs != nil && t == 0 ? 1 : 0
          }
        }
        fill(buffer, min(positions.target, buffer.steps), [.input, .target])
        if let source = buffer.source { fill(source, positions.source, [.input]) }
      }
    }
  }

  /// How many positions a lane has; the first has as many as there may be.
  private func positions(lane: Int) -> (target: Int, source: Int) {
    guard let pairs, lane > 0 else { return (longest.steps, longest.sourceSteps) }
    var random = random(lane, .lengths)
    func draw() -> Int { pairs.lowerBound + random.below(pairs.count) }
    return (draw(), draw())
  }

  /// What is drawn for a lane.
  private enum Draw: UInt32 {
    case values, lengths
  }

  private func random(_ lane: Int, _ draw: Draw, from step: Int = 0) -> RandomStream {
    RandomStream(
      RandomKey(seed: configuration.training.seedBits, purpose: .benchmark),
      at: (UInt32(lane), UInt32(step), draw.rawValue))
  }

  private func draw(_ random: inout RandomStream, to chunk: Chunk, _ role: TrackRole, _ place: Int) {
    switch data {
    case .tokens(let count): chunk.tokens(role)[place] = Int32(random.below(count))
    case .frames(let width):
      for column in 0..<width { chunk.frames(role)[place][column] = Float(random.uniform()) }
    }
  }
}

/// The peak resident memory of this process, in bytes.
func peakResidentMemory() -> Int {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return usage.ru_maxrss * 1024
}
