import ArgumentParser
import Chunks
import Core
import FileSystem
import Jobs
import MPI
import Reports
import Settings
import Training

extension LayerNames: ExpressibleByArgument {
  package init?(argument: String) { self.init([argument]) }
  package static var allValueStrings: [String] { each.map(\.yaml) }
}
extension Precision: ExpressibleByArgument {}

/// The least and the most positions of pairs, as `20-30` or `25`.
struct Lengths: ExpressibleByArgument {
  let range: ClosedRange<Int>

  init?(argument: String) {
    let bounds = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(bounds.count), let least = bounds[0], let most = bounds[bounds.count - 1],
      least > 0, least <= most, most <= 1 << 20
    else { return nil }
    range = least...most
  }
}

/// `seqtrain bench`
struct Bench: ParallelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures full training steps on random data.",
    discussion: """
      A step is forward, backward, exchange, clipping and the optimiser's update; the state is carried.

      --set changes any setting of the model or training, as in train, and overrides the short options for the commonest.

      --breakdown adds where rank 0 spends the step, by part; how fast it computes its matrix products beside the fastest that \
      one core of this machine can multiply and add; and the bytes of the products' operands and results.

      --plan says what a step would take on a cluster, --lanes being those of all its ranks: it measures the part of one rank \
      here, and computes the rest. mpirun -n R seqtrain bench --plan ... has R ranks compute at a time, as they do on a host. A \
      checkpoint is written in the current directory, to see how long that takes, and removed again.
      """)

  @Option(help: "The kind of layer.") var cell: LayerNames = "lstm"
  @Option(help: "The number of tokens in the vocabulary.") var vocab = 128
  @Option(help: "The width of frames, in place of tokens; 0: tokens.") var frames = 0
  @Option(help: "The width of the embedding.") var embedding = 128
  @Option(help: "The width of each layer.") var hidden = 256
  @Option(help: "The number of layers.") var layers = 2
  @Option(help: "The rows of the batch, over all ranks.") var lanes = 32
  @Option(help: "The steps in time that gradients run back.") var chunk = 64
  @Option(
    help: ArgumentHelp(
      "Pairs, of so many tokens or frames a source and a target, in place of streams of --chunk.",
      valueName: "least-most"))
  var pairs: Lengths?
  @Option(help: "The shards of the batch, over all ranks; 0: one a rank.") var shards = 0
  @Option(help: "The inputs of matrix products.") var precision = Precision.float32
  @Option(
    help: ArgumentHelp(
      "Changes one setting of model or training; may be given more than once.",
      valueName: "key=value"))
  var set: [String] = []
  @Option(help: "The steps that are timed.") var steps = 20
  @Option(help: "The steps before them that are not.") var warmup = 3
  @Flag(help: "Print where the time of a step goes.") var breakdown = false
  @Option(
    help: ArgumentHelp(
      "Say what a step would take on a cluster: hosts=H,ranks=R,bandwidth=25Gbit,latency=10us, and cores=C where hosts have "
        + "more than ranks.", valueName: "cluster"))
  var plan: String?
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    for (name, value, range) in [
      ("vocab", vocab, 1...16_777_216), ("frames", frames, 0...65_536), ("steps", steps, 1...1_000_000),
      ("warmup", warmup, 0...1_000_000),
    ] {
      try require(
        range.contains(value), "--\(name) \(value): expected \(range.lowerBound) to \(range.upperBound)")
    }
    guard pairs == nil || plan == nil else {
      throw ValidationError("--plan is for streams; leave out --pairs")
    }
    do { _ = try plan.map(Cluster.init) } catch { throw ValidationError("\(error)") }
  }

  func run(_ communicator: Communicator) throws -> ExitStatus {
    if let plan { return try self.plan(on: communicator.agree { try Cluster(plan) }, communicator) }
    let configuration = try communicator.agree { try self.configuration(ranks: communicator.size) }
    if communicator.rank == 0 {
      for note in machineNotes(for: configuration.training.precision) { report(warning: note) }
    }
    var benchmark = Benchmark(configuration, data: data, steps: steps, warmup: warmup)
    benchmark.pairs = pairs?.range
    let result = try benchmark.run(communicator)
    try communicator.agree {
      guard communicator.rank == 0 else { return }
      let peak = breakdown ? configuration.training.precision.measurePeakRate() : nil
      try printLine(json ? result.json(peak: peak).text : result.text(peak: peak))
    }
    return .finished
  }

  private func plan(on cluster: Cluster, _ communicator: Communicator) throws -> ExitStatus {
    let planned = try communicator.agree {
      let planned = try configuration(ranks: cluster.hosts * cluster.ranks)
      guard planned.training.timeBlocks == 1 else {
        throw ConfigurationError(
          "--plan: training.time_blocks \(planned.training.timeBlocks): how long ranks wait for each other's states is not "
            + "in a plan; set it to 1")
      }
      return planned
    }
    let plan = try Benchmark.plan(
      planned, on: cluster, data: data, steps: steps, warmup: warmup, checkpointIn: ".", communicator)
    try communicator.agree {
      guard communicator.rank == 0 else { return }
      try printLine(json ? plan.json.text : plan.text)
    }
    return .finished
  }

  private var data: TrackKind { frames > 0 ? .frames(width: frames) : .tokens(count: vocab) }

  /// The options are set as by `--set`, so that they are checked in the same way.
  private func configuration(ranks: Int) throws -> Configuration {
    var configuration = Configuration()
    let options = [
      "model.cell=\(cell)", "model.embedding=\(embedding)", "model.hidden=\(hidden)",
      "model.layers=\(layers)", "training.lanes=\(lanes)", "training.chunk=\(chunk)",
      "training.shards=\(shards)", "training.precision=\(precision.rawValue)",
    ]
    for setting in options + set {
      try configuration.set(setting)
      guard setting.hasPrefix("model.") || setting.hasPrefix("training.") else {
        throw ConfigurationError("--set \(setting): expected a setting of model or training")
      }
    }
    configuration = try configuration.resolved(ranks: ranks)
    try configuration.checkTimeBlocks(arePairs: pairs != nil)
    try configuration.model.check(
      TrackSet([.input: data, .target: data], source: pairs == nil ? nil : data))
    return configuration
  }
}

extension BenchmarkResult {
  /// With the breakdown where a peak is given.
  fileprivate func json(peak: Double?) -> JSON {
    var members: JSON.Members = [
      "program": .string("seqtrain"), "ranks": .integer(ranks), "step_seconds_median": .number(medianSeconds),
      "step_seconds_min": .number(minimumSeconds), "tokens_per_second": .number(tokensPerSecond),
      "peak_rss_bytes": .integer(peakMemory),
    ]
    if let peak {
      members.append([
        "breakdown": .array(
          breakdown.map { .object(["part": .string("\($0.part)"), "seconds": .number($0.seconds)]) }),
        "product_flops_per_second": .number(productRate), "peak_flops_per_second": .number(peak),
        "product_bytes_per_step": .number(bytes),
      ])
    }
    return .object(members)
  }

  fileprivate func text(peak: Double?) -> String {
    var lines = [
      "ranks              \(ranks)",
      "step, median       \(Wording.decimal(medianSeconds * 1000, places: 2)) ms",
      "step, shortest     \(Wording.decimal(minimumSeconds * 1000, places: 2)) ms",
      "positions a second \(Wording.count(tokensPerSecond))",
      "peak memory        \(peakMemory >> 20) MiB on rank 0",
    ]
    if let peak { lines += ["", "Where rank 0 spends a step:"] + breakdownLines + productLines(peak: peak) }
    return lines.joined(separator: "\n")
  }

  private var breakdownLines: [String] {
    let total = breakdown.reduce(0) { $0 + $1.seconds }
    return breakdown.map { part, seconds in
      let time = Wording.decimal(seconds * 1000, places: 3)
      let share = Wording.decimal(100 * seconds / total, places: 1)
      return "  \(part)" + spaces(17 - "\(part)".count) + "\(time) ms" + spaces(12 - time.count)
        + "\(share) %"
    }
  }

  private func spaces(_ count: Int) -> String { String(repeating: " ", count: max(1, count)) }

  private func productLines(peak: Double) -> [String] {
    let (rate, most) = (productRate / 1e9, peak / 1e9)
    return [
      "products' speed    \(Wording.decimal(rate, places: 1)) GFLOP/s of the \(Wording.decimal(most, places: 1)) "
        + "that a core can (\(Int((100 * rate / most).rounded())) %)",
      "products' memory   \(Wording.decimal(bytes / 1e6, places: 1)) MB of operands and results a step",
    ]
  }
}

extension ClusterPlan {
  private var parts: [(name: String, seconds: Double)] {
    [
      ("forward", forward), ("backward", backward), ("preparation", preparation), ("update", update),
      ("sums", sums), ("exchange", exchange), ("latencies", latencies),
    ]
  }

  fileprivate var json: JSON {
    .object([
      "hosts": .integer(cluster.hosts), "ranks_per_host": .integer(cluster.ranks),
      "lanes": .integer(configuration.training.lanes), "shards": .integer(configuration.training.shards),
      "step_seconds": .number(step),
      "parts": .array(parts.map { .object(["part": .string($0.name), "seconds": .number($0.seconds)]) }),
      "tokens_per_second": .number(tokensPerSecond), "efficiency": .number(efficiency),
      "memory_bytes_per_rank": .integer(memoryOfRank), "memory_bytes_per_host": .integer(memoryOfHost),
      "checkpoint_bytes": .integer(checkpoint), "checkpoint_gathering_seconds": .number(gathering),
      "checkpoint_writing_seconds": .number(writing),
    ])
  }

  fileprivate var text: String {
    func milliseconds(_ seconds: Double) -> String { "\(Wording.decimal(seconds * 1000, places: 2)) ms" }
    let rows =
      [
        (
          "cluster",
          "\(Wording.counted(cluster.hosts, "host")) of \(Wording.counted(cluster.ranks, "rank")), "
            + "\(Wording.counted(configuration.training.lanes, "lane")), "
            + Wording.counted(configuration.training.shards, "shard")
        ),
        ("step", milliseconds(step)),
      ]
      + parts.map { part in
        (
          "  \(part.name)",
          "\(milliseconds(part.seconds)), \(Wording.decimal(100 * part.seconds / step, places: 1)) %"
        )
      } + [
        ("positions a second", Wording.count(tokensPerSecond)),
        ("efficiency", "\(Wording.decimal(100 * efficiency, places: 1)) % of one rank's speed, a rank"),
        ("memory", "\(Wording.bytes(memoryOfRank)) a rank, \(Wording.bytes(memoryOfHost)) a host"),
        (
          "checkpoint",
          "\(Wording.bytes(checkpoint)), gathered in \(Wording.decimal(gathering, places: 2)) s; written meanwhile, here in \(Wording.decimal(writing, places: 2)) s"
        ),
      ]
    return alignedText(rows)
  }
}
