import Chunks
import Core
import HDF5
import MPI
import Preconditions
import Sequences

/// Moves the whole state of a run between the ranks that hold it and a checkpoint, through rank 0.
///
/// Everything is keyed by name and lane; nothing in a checkpoint tells how many ranks there were.
package struct StateTransfer {
  let communicator: Communicator
  let exchange: GradientExchange
  let optimizer: any Optimizer
  let ranges: [UpdateRange]
  let model: Model
  let tiles: TilePlan

  private var layout: ParameterLayout { exchange.memory.layout }
  private var isWriter: Bool { communicator.rank == 0 }
  /// The lanes that each rank has the states of between chunks, in the first of their tiles.
  private var lanesOfRank: [Range<Int>] { (0..<communicator.size).map(tiles.lanesBegun) }
  /// All lanes.
  private var lanes: Int { lanesOfRank.last?.upperBound ?? 0 }

  /// Makes the weights that a run begins with, each rank a part of them. Ends early, with weights unfinished, where any
  /// rank's `shouldStop` says so, and returns whether it has. Collective.
  ///
  /// - Throws: `MPIError`.
  package func initialize(seed: UInt64, shouldStop: () -> Bool) throws -> Bool {
    let parts = layout.initialParts(dealtTo: communicator.size)
    exchange.memory.initialize(parts[communicator.rank], seed: seed, shouldStop: shouldStop)
    if try communicator.any(shouldStop()) { return true }
    try exchange.shareWeights(
      parts.enumerated().flatMap { rank, parts in parts.map { (elements: $0.elements, rank: rank) } })
    model.prepareWeights()
    return false
  }

  /// Writes the state, all but the cursors, to a checkpoint; on rank 0, how many seconds that took behind gathering. Collective.
  ///
  /// - Throws: `JobError` where it can't be written; `MPIError`.
  package func measureCheckpoint(_ header: CheckpointHeader, in store: CheckpointStore) throws -> Double {
    let state = try collect()
    let start = monotonicSeconds()
    try communicator.agree {
      guard let state else { return }
      try withExtendedLifetime(state) { try store.write(header, arrays(of: state)) }
    }
    return monotonicSeconds() - start
  }

  /// A copy of the state, all but the cursors, on rank 0; nil elsewhere. Collective.
  ///
  /// - Throws: `MPIError`.
  func collect() throws -> CollectedState? {
    let whole = CollectedState(
      layout, optimizer, model, lanes: lanes, isWriter: isWriter)
    for (state, moment) in zip(optimizer.states, whole.moments) { try gather(state, into: moment) }
    for (state, values) in zip(model.states, whole.states) { try gather(state, into: values) }
    guard isWriter else { return nil }
    whole.weights.base.update(from: exchange.memory.weights, count: layout.count)
    return whole
  }

  /// The arrays of a collected state, which must outlive them.
  func arrays(of state: CollectedState) -> [CheckpointArray] {
    var arrays = byName(
      UnsafeBufferPointer(state.weights.elements), group: "parameters", description: "the weights")
    for (name, vector) in zip(type(of: optimizer).stateNames, state.moments) {
      arrays += byName(
        UnsafeBufferPointer(vector.elements), group: "optimizer/\(name)",
        description: "the optimiser's \(name) of the parameter of the same name")
    }
    arrays += zip(model.states, state.states).map { state, values in
      CheckpointArray(
        path: "states/\(state.name)", shape: [lanes, state.values.columns],
        values: .floats(UnsafeBufferPointer(values.elements)),
        description: "the state \(state.name) that each lane's next chunk begins with")
    }
    return arrays
  }

  /// Takes the state from a checkpoint, which rank 0 has open; the others pass nil. Collective.
  ///
  /// - Throws: `JobError` where the checkpoint does not fit the layout or the lanes; `MPIError`.
  func restore(from file: CheckpointFile?) throws {
    let vector = Buffer<Float>(count: layout.count)
    try read(
      file, group: "parameters",
      into: UnsafeMutableBufferPointer(start: exchange.memory.weights, count: layout.count))
    try exchange.shareWeights([(elements: 0..<layout.count, rank: 0)])
    for (name, state) in zip(type(of: optimizer).stateNames, optimizer.states) {
      try read(file, group: "optimizer/\(name)", into: vector.elements)
      try communicator.broadcast(vector.elements)
      for range in ranges {
        (state.base + range.stateOffset).update(
          from: vector.base + range.elements.lowerBound, count: range.elements.count)
      }
    }
    for state in model.states { try restore(state, from: file) }
    model.prepareWeights()
  }

  private func read(
    _ file: CheckpointFile?, group: String, into vector: UnsafeMutableBufferPointer<Float>
  ) throws {
    try communicator.agree {
      guard let file else { return }
      for parameter in layout.parameters {
        try file.read(
          "\(group)/\(parameter.name)", shape: parameter.shape,
          into: UnsafeMutableBufferPointer(rebasing: vector[parameter.range]))
      }
    }
  }

  private func restore(_ state: CarriedState, from file: CheckpointFile?) throws {
    let width = state.values.columns
    let all = Buffer<Float>(count: lanes * width)
    try communicator.agree {
      try file?.read("states/\(state.name)", shape: [all.count / width, width], into: all.elements)
    }
    try communicator.broadcast(all.elements)
    for tile in firstTiles {
      state.values.rows(tile.columns).base.update(
        from: all.base + tile.lanes.lowerBound * width, count: tile.lanes.count * width)
    }
  }

  /// Brings an optimiser's state of all ranks, indexed like the flat vector, together on rank 0.
  private func gather(_ state: Buffer<Float>, into vector: Buffer<Float>) throws {
    let ownership = Ownership(layout, hosts: communicator.hosts)
    for (index, piece) in layout.pieces.enumerated() {
      let own = ownership.range(of: communicator.rank, piece: index)
      let part = Buffer<Float>(count: own.count)
      for range in ranges where own.contains(range.elements.lowerBound) {
        (part.base + range.elements.lowerBound - own.lowerBound).update(
          from: state.base + range.stateOffset, count: range.elements.count)
      }
      try withExtendedLifetime(part) {
        try communicator.gather(
          UnsafeBufferPointer(part.elements),
          into: isWriter ? UnsafeMutableBufferPointer(rebasing: vector.elements[piece]) : vector.elements,
          RankBlocks(counts: ownership.counts(ofPiece: index)))
      }
    }
  }

  /// The tiles of this rank that chunks begin with.
  private var firstTiles: [Tile] { tiles.tiles(of: communicator.rank).filter(\.isFirst) }

  /// Brings a carried state of all lanes together on rank 0.
  private func gather(_ state: CarriedState, into all: Buffer<Float>) throws {
    try gather(state.values.base, width: state.values.columns, into: all.elements)
  }

  /// Numbers of which there is one a lane of the rank's arrays: those where the chunk begins of all lanes, on rank 0; none
  /// elsewhere. Collective.
  func gather(_ own: UnsafeMutableBufferPointer<Int>) throws -> [Int] {
    var all = [Int](repeating: 0, count: isWriter ? lanes : 0)
    guard let base = own.baseAddress else { preconditionFailure("a rank has lanes") }
    try all.withUnsafeMutableBufferPointer { try gather(base, width: 1, into: $0) }
    return all
  }

  /// Brings what is where the chunk begins together on rank 0, of arrays with a row a lane of the rank. [B, width]
  private func gather<Element: MPIDatatype & BitwiseCopyable>(
    _ own: UnsafePointer<Element>, width: Int, into all: UnsafeMutableBufferPointer<Element>
  ) throws {
    let firstRows = Buffer<Element>(count: lanesOfRank[communicator.rank].count * width)
    var place = firstRows.base
    for tile in firstTiles {
      place.update(from: own + tile.columns.lowerBound * width, count: tile.columns.count * width)
      place += tile.columns.count * width
    }
    try withExtendedLifetime(firstRows) {
      try communicator.gather(
        UnsafeBufferPointer(firstRows.elements), into: all,
        RankBlocks(counts: lanesOfRank.map { $0.count * width }))
    }
  }

  /// The parts of a flat vector as arrays named for the parameters.
  private func byName(
    _ vector: UnsafeBufferPointer<Float>, group: String, description: String
  ) -> [CheckpointArray] {
    layout.parameters.map { parameter in
      CheckpointArray(
        path: "\(group)/\(parameter.name)", shape: parameter.shape,
        values: .floats(UnsafeBufferPointer(rebasing: vector[parameter.range])), description: description)
    }
  }
}

/// Room for what the ranks have of the state between them, on the one that writes it; empty elsewhere.
struct CollectedState {
  /// The weights, as the flat vector.
  let weights: Buffer<Float>
  /// The optimiser's states, each indexed like the flat vector.
  let moments: [Buffer<Float>]
  /// The carried states, [lanes, H] each.
  let states: [Buffer<Float>]

  init(
    _ layout: ParameterLayout, _ optimizer: any Optimizer, _ model: Model, lanes: Int, isWriter: Bool
  ) {
    weights = Buffer(count: isWriter ? layout.count : 0)
    moments = optimizer.states.map { _ in Buffer(count: isWriter ? layout.count : 0) }
    states = model.states.map { Buffer(count: isWriter ? lanes * $0.values.columns : 0) }
  }
}
