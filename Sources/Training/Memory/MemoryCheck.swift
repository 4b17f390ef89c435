import Core
import FileSystem
import MPI

/// What a job takes of memory, as it is told before its first step.
package struct MemoryDemand {
  /// The bytes of this rank, with what it has already.
  package let rank: Int
  /// The bytes of this host's shared memory; none for a rank alone on it.
  package let shared: Int
  /// The bytes that the ranks of this host will take besides what they have, shared ones included.
  let host: Int
  /// The ranks of this host.
  let ranks: Int
  /// The bytes of a checkpoint, on rank 0.
  package let checkpoint: Int
}

/// Checks that the hosts of a job have the memory that it needs, before any of it is taken. Everything here is
/// collective.
package struct MemoryCheck {
  private let communicator: Communicator
  private let host: Communicator
  private let onHost: AvailableMemory?
  private let inProcess: AvailableMemory?
  private let room: SharedMemoryRoom

  /// Notes how much memory is available now. Call `free()` at the end.
  ///
  /// - Throws: `MPIError`.
  package init(_ communicator: Communicator) throws {
    self.communicator = communicator
    host = try communicator.splitByHost()
    onHost = .onHost()
    inProcess = .inProcess()
    room = SharedMemoryRoom()
    // A rank that went on would take of what another is about to look at.
    try communicator.barrier()
  }

  /// Frees what the ranks share.
  package func free() throws { try host.free() }

  /// What a rank takes with some settings, and with tokens held in memory or not, which it leaves out; not collective.
  package typealias Measure = (_ configuration: Configuration, _ holdsTokens: Bool) throws -> MemoryFootprint

  /// What the job takes, if there is that much, and whether that is with all tokens in memory: where every host has
  /// room for them twice.
  ///
  /// - Parameters:
  ///   - tokens: The bytes of all tokens, which the ranks of a host share; 0 for none.
  ///   - mayChange: Whether other settings may be advised.
  /// - Throws: `JobError` where there is less, or `measure` throws; `MPIError`.
  package func require(
    _ configuration: Configuration, tokens: Int = 0, mayChange: Bool, measure: Measure
  ) throws -> (demand: MemoryDemand, holdsTokens: Bool) {
    func holding(_ configuration: Configuration) throws -> MemoryFootprint {
      try measure(configuration, true)
    }
    func reading(_ configuration: Configuration) throws -> MemoryFootprint {
      try measure(configuration, false)
    }
    let footprint = try communicator.agree { try holding(configuration) }
    let isTight = shortage(try self.demand(of: footprint, shared: 2 * tokens)) != nil
    if try !communicator.any(isTight) { return (try self.demand(of: footprint, shared: tokens), true) }
    let demand = try self.demand(configuration, reading)
    let shortage = shortage(demand)
    guard try communicator.any(shortage != nil) else { return (demand, false) }
    let remedy =
      try mayChange ? advice(fitting(configuration, reading)) : "use more hosts, or fewer ranks on each"
    try communicator.agree { if let shortage { throw TrainingError("\(shortage); \(remedy)") } }
    return (demand, false)
  }

  /// What to do, where these settings would help.
  private func advice(_ settings: [String]) -> String {
    guard let last = settings.last else { return "use more hosts, or a smaller model" }
    let others = settings.dropLast().joined(separator: ", ")
    return "it would fit with \(others)\(others.isEmpty ? "" : " or ")\(last); or use more hosts"
  }

  private func demand(
    _ configuration: Configuration, _ measure: (Configuration) throws -> MemoryFootprint
  ) throws -> MemoryDemand {
    try demand(of: communicator.agree { try measure(configuration) })
  }

  /// - Parameter shared: The bytes that the ranks of a host share besides what each measures.
  private func demand(of footprint: MemoryFootprint, shared: Int = 0) throws -> MemoryDemand {
    var footprint = footprint
    if host.rank == 0 { footprint.shared += shared }
    // Whatever is asked for, sums over a host stay integers.
    let most = 1 << 50
    footprint.own = min(footprint.own, most)
    footprint.shared = min(footprint.shared, most)
    if host.size == 1 { (footprint.own, footprint.shared) = (footprint.own + footprint.shared, 0) }
    let shared = SharedMemory.roomNeeded(for: try host.allgather(footprint.shared))
    return MemoryDemand(
      rank: footprint.own + AvailableMemory.resident(), shared: shared,
      host: try host.sum(footprint.own) + shared, ranks: host.size, checkpoint: footprint.checkpoint)
  }

  /// In what this host or process has too little, if it has.
  private func shortage(_ demand: MemoryDemand) -> String? {
    let mapped = demand.rank - AvailableMemory.resident() + demand.shared + AvailableMemory.reserve
    if let inProcess, inProcess.bytes < mapped {
      return """
        the system grants a process \(Wording.bytes(inProcess.bytes)) more (\(inProcess.source)), but a rank takes \
        \(Wording.bytes(mapped))
        """
    }
    if let onHost, onHost.bytes < demand.host {
      let shared = demand.shared > 0 ? ", \(Wording.bytes(demand.shared)) shared" : ""
      return """
        \(hostName()) has \(Wording.bytes(onHost.bytes)) of memory available (\(onHost.source)), but the job takes \
        \(Wording.bytes(demand.host)) more there (\(Wording.counted(demand.ranks, "rank")) of \
        \(Wording.bytes(demand.rank))\(shared))
        """
    }
    do { try room.require(demand.shared) } catch { return "\(error)" }
    return nil
  }

  /// The settings, one at a time, with which the job would fit.
  private func fitting(
    _ configuration: Configuration, _ measure: (Configuration) throws -> MemoryFootprint
  ) throws -> [String] {
    try Self.reductions.compactMap { reduction in
      var changed = configuration
      while reduction.halve(&changed) {
        let shortage = shortage(try demand(changed, measure))
        if try !communicator.any(shortage != nil) {
          return "\(reduction.key)=\(changed[keyPath: reduction.value])"
        }
      }
      return nil
    }
  }

  /// A setting that may be made smaller.
  private struct Reduction {
    let key: String
    let value: KeyPath<Configuration, Int>
    /// Halves it, so that the settings still fit each other; false where it is as small as it can be.
    let halve: (inout Configuration) -> Bool
  }

  private static var reductions: [Reduction] {
    [
      Reduction(key: "training.lanes", value: \.training.lanes) { configuration in
        let (lanes, shards) = (configuration.training.lanes, configuration.training.shards)
        configuration.training.lanes = max(1, lanes / shards / 2) * shards
        return configuration.training.lanes < lanes
      },
      Reduction(key: "training.chunk", value: \.training.chunk) { configuration in
        let (chunk, blocks) = (configuration.training.chunk, configuration.training.timeBlocks)
        configuration.training.chunk = max(1, chunk / blocks / 2) * blocks
        return configuration.training.chunk < chunk
      },
      Reduction(key: "model.hidden", value: \.model.hidden) { configuration in
        let hidden = configuration.model.hidden
        configuration.model.hidden = max(1, hidden / 2)
        configuration.model.fitEmbedding()
        return configuration.model.hidden < hidden
      },
    ]
  }
}
