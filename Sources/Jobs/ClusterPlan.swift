import CKernels
import Chunks
import Core
import Glibc
import MPI
import Preconditions
import Settings
import Training

/// Hosts, and what is between them.
package struct Cluster: Sendable, Equatable {
  package var hosts = 1
  /// The ranks of each host.
  package var ranks = 1
  /// The cores of each host; 0 for as many as ranks.
  package var cores = 0
  /// Bytes a second that a host can send while it receives as many.
  package var bandwidth = 0.0
  /// Seconds that a message takes besides its bytes.
  package var latency = 0.0

  /// The cluster that a text such as `hosts=128,ranks=8,bandwidth=25Gbit,latency=10us` describes.
  ///
  /// - Throws: `ConfigurationError` naming the part that can't be read or is missing.
  package init(_ text: String) throws {
    var missing = ["hosts", "ranks", "bandwidth", "latency"]
    var found: Set<String> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard words.count == 2 else { throw Self.error("'\(part)': expected key=value") }
      let (key, value) = (words[0], words[1])
      guard found.insert(key).inserted else { throw Self.error("'\(key)' is given twice") }
      missing.removeAll { $0 == key }
      switch key {
      case "hosts": hosts = try Self.count(value, of: key, in: 1...100_000)
      case "ranks": ranks = try Self.count(value, of: key, in: 1...1024)
      case "cores": cores = try Self.count(value, of: key, in: 1...4096)
      case "bandwidth":
        bandwidth = try Self.quantity(value, of: key, ["Kbit": 1e3 / 8, "Mbit": 1e6 / 8, "Gbit": 1e9 / 8])
      case "latency": latency = try Self.quantity(value, of: key, ["us": 1e-6, "ms": 1e-3, "s": 1])
      default: throw Self.error("'\(key)': expected hosts, ranks, bandwidth, latency or cores")
      }
    }
    guard missing.isEmpty else { throw Self.error("\(missing.joined(separator: ", ")) missing") }
    guard cores == 0 || cores >= ranks else {
      throw Self.error("cores=\(cores): expected at least the ranks of a host, \(ranks)")
    }
  }

  /// The ranks of each host.
  var layout: Hosts { Hosts(ranks: [Int](repeating: ranks, count: hosts)) }

  private static func error(_ message: String) -> ConfigurationError {
    ConfigurationError(
      "--plan: \(message); such as hosts=128,ranks=8,bandwidth=25Gbit,latency=10us")
  }

  private static func count(_ value: String, of key: String, in range: ClosedRange<Int>) throws -> Int {
    guard let count = Int(value), range.contains(count) else {
      throw error("\(key)=\(value): expected a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return count
  }

  private static func quantity(_ value: String, of key: String, _ units: [String: Double]) throws -> Double {
    let unit = units.first { value.hasSuffix($0.key) && Double(value.dropLast($0.key.count)) != nil }
    let number = unit.flatMap { Double(value.dropLast($0.key.count)) }
    guard let unit, let number, number.isFinite, number > 0 else {
      throw error(
        "\(key)=\(value): expected a number and one of \(units.keys.sorted().joined(separator: ", "))")
    }
    return number * unit.value
  }
}

/// What steps of a training take on a cluster, by a model of them whose parts are measured on this machine.
///
///     step     = forward + backward + preparation + update + sums + exchange + latencies
///     forward, backward : of the lanes of one rank, measured
///     preparation : clearing gradients and packing weights, measured
///     update   = U / (H R)                                     U to take norms of and update all weights, measured
///     sums     = A G ((R - 1) / R + (k H - 1) / (H R))         A to add a byte of gradient, measured
///     exchange = (k + 1) G (1 - 1 / H) / bandwidth             not hidden, unless hosts have cores to spare
///     latency  = latency (2 log2(H) + pieces + 1), none on one host
///
/// for H hosts of R ranks and G bytes of gradient; k is the subtrees of `ShardTree` that a host's shards make. Where hosts have
/// more cores than ranks, gradients go while backward runs: only what is left of their exchange counts, and that of the last
/// piece at least. Ranks that wait for the slowest one, and other users of the network, are not in it.
package struct ClusterPlan: Sendable {
  package let cluster: Cluster
  package let configuration: Configuration
  /// Seconds.
  package let forward: Double
  package let backward: Double
  package let preparation: Double
  package let update: Double
  package let sums: Double
  package let exchange: Double
  package let latencies: Double
  /// What one rank would take for a step by itself, in seconds.
  package let alone: Double
  /// Bytes of a rank's own memory, and with what its host's ranks share, of a host.
  package let memoryOfRank: Int
  package let memoryOfHost: Int
  /// Bytes of a checkpoint; the seconds in which the first rank gathers it, and those in which it was written here.
  package let checkpoint: Int
  package let gathering: Double
  package let writing: Double

  package var step: Double { forward + backward + preparation + update + sums + exchange + latencies }
  /// Positions a second over all ranks.
  package var tokensPerSecond: Double {
    let training = configuration.training
    return Double(training.lanes * training.chunk * training.accumulate) / step
  }
  /// The speed relative to that of one rank, by the number of ranks.
  package var efficiency: Double { alone / (step * Double(cluster.hosts * cluster.ranks)) }
}

extension Benchmark {
  /// Measures the parts of a step on the ranks of this job, each with as many lanes as a rank of the cluster has, and makes a
  /// plan of them. Start as many ranks as share a host's memory and caches there. Collective.
  ///
  /// - Parameters:
  ///   - planned: The training on the cluster, resolved for its ranks.
  ///   - directory: Where a checkpoint is written, and removed again.
  /// - Throws: `JobError` if the hosts have too little memory, or the checkpoint can't be written; `MPIError`.
  package static func plan(
    _ planned: Configuration, on cluster: Cluster, data: TrackKind, steps: Int, warmup: Int,
    checkpointIn directory: String, _ communicator: Communicator
  ) throws -> ClusterPlan {
    let tracks = TrackSet([.input: data, .target: data])
    let plan = StepPlan(planned, tracks: tracks, steps: planned.training.chunk, hosts: cluster.layout)
    // The first rank has no fewer shards than any other.
    let shards = plan.shards.shards(of: 0).count
    var own = planned
    own.training.shards = shards * communicator.size
    own.training.lanes = planned.training.lanes / planned.training.shards * own.training.shards
    var benchmark = Benchmark(own, data: data, steps: steps, warmup: warmup)
    benchmark.checkpointDirectory = directory
    let measured = try benchmark.run(communicator)
    let parts = Dictionary(uniqueKeysWithValues: measured.breakdown.map { ($0.part, $0.seconds) })
    let compute = measured.medianSeconds - (parts[.optimizer] ?? 0) - (parts[.exchange] ?? 0)
    // The passes have means, the step a median.
    let passes = measured.passes.mapValues { $0 * compute / measured.passes.values.reduce(0, +) }
    let (forward, backward) = (passes[.forward] ?? 0, passes[.backward] ?? 0)
    let update = (parts[.optimizer] ?? 0) * Double(communicator.size)

    let ownPlan = StepPlan(own, tracks: tracks, steps: own.training.chunk, hosts: communicator.hosts)
    let memory = try ownPlan.footprint(communicator, resumes: false)
    let host = plan.bytesOfFirstHost(measured: memory, by: ownPlan)
    let (hosts, ranks) = (Double(cluster.hosts), Double(cluster.ranks))
    let bytes = Double(plan.layout.count * MemoryLayout<Float>.stride)
    let trees = Double(
      cluster.layout.ranks.indices.map { plan.shards.subtrees(ofHost: $0).count }.max() ?? 1)
    let share = bytes * (1 - 1 / hosts) / cluster.bandwidth
    var gradients = trees * share
    if cluster.cores > cluster.ranks {
      let last = plan.layout.pieces.last.map { Double($0.count) / Double(plan.layout.count) } ?? 1
      gradients = max(gradients - backward, gradients * last)
    }
    let rounds = cluster.hosts > 1 ? 2 * log2(hosts).rounded(.up) + Double(plan.layout.pieces.count) + 1 : 0
    return ClusterPlan(
      cluster: cluster, configuration: planned, forward: forward, backward: backward,
      preparation: compute - forward - backward, update: update / (hosts * ranks),
      sums: secondsToAddByte() * bytes * ((ranks - 1) / ranks + (trees * hosts - 1) / (hosts * ranks)),
      exchange: gradients + share, latencies: rounds * cluster.latency,
      alone: compute * hosts * ranks + update, memoryOfRank: host.rank, memoryOfHost: host.host,
      checkpoint: memory.checkpoint,
      gathering: Double(memory.checkpoint) * (1 - 1 / hosts) / cluster.bandwidth,
      writing: measured.checkpointSeconds ?? 0)
  }

  /// What a core takes to add a byte of gradients to another, of vectors that lie in memory.
  private static func secondsToAddByte() -> Double {
    let count = 1 << 24
    let (sum, part) = (Buffer<Float>(count: count), Buffer<Float>(count: count))
    sum.clear()
    part.clear()
    let times = (0..<5).map { _ in
      let start = monotonicSeconds()
      st_add(count, sum.base, part.base, sum.base)
      return monotonicSeconds() - start
    }
    return times.sorted()[2] / Double(count * MemoryLayout<Float>.stride)
  }
}
