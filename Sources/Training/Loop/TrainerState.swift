import Core
import HDF5
import MPI
import Sequences

/// Moves the whole state of a run between the ranks that hold it and a checkpoint, through rank 0.
///
/// Everything is keyed by name and lane; nothing in a checkpoint tells how many ranks there were.
struct TrainerState {
  let communicator: Communicator
  let exchange: any GradientExchange
  let optimizer: any Optimizer
  let ranges: [UpdateRange]
  let model: LanguageModel
  let lanesOfRank: [Range<Int>]

  private var layout: ParameterLayout { exchange.memory.layout }
  private var isWriter: Bool { communicator.rank == 0 }

  /// Calls `body` on rank 0 with the arrays of the state, all but the cursors. Collective.
  ///
  /// - Throws: On all ranks what `body` throws, and `MPIError`.
  func collect(_ body: ([CheckpointArray]) throws -> Void) throws {
    let weights = UnsafeBufferPointer(start: exchange.memory.weights, count: layout.count)
    var arrays = byName(weights, group: "parameters", description: "the weights")
    var owners: [Buffer<Float>] = []
    for (name, state) in zip(type(of: optimizer).stateNames, optimizer.states) {
      let vector = try gather(state)
      owners.append(vector)
      arrays += byName(
        UnsafeBufferPointer(vector.elements), group: "optimizer/\(name)",
        description: "the optimiser's \(name) of the parameter of the same name")
    }
    for state in model.states {
      let all = try gather(state)
      owners.append(all)
      arrays.append(
        CheckpointArray(
          path: "states/\(state.name)", shape: [lanesOfRank.joined().count, state.values.columns],
          values: .floats(UnsafeBufferPointer(all.elements)),
          description: "the state \(state.name) that each lane's next chunk begins with"))
    }
    try withExtendedLifetime(owners) {
      try communicator.agree { if isWriter { try body(arrays) } }
    }
  }

  /// Takes the state from a checkpoint, which rank 0 has open. Collective.
  func restore(from file: CheckpointFile?) throws {
    let vector = Buffer<Float>(count: layout.count)
    try read(
      file, group: "parameters",
      into: UnsafeMutableBufferPointer(start: exchange.memory.weights, count: layout.count))
    try exchange.shareWeights()
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
    let all = Buffer<Float>(count: lanesOfRank.joined().count * width)
    try communicator.agree {
      try file?.read("states/\(state.name)", shape: [all.count / width, width], into: all.elements)
    }
    try communicator.broadcast(all.elements)
    let own = lanesOfRank[communicator.rank]
    state.values.base.update(from: all.base + own.lowerBound * width, count: own.count * width)
  }

  /// An optimiser's state of all ranks, indexed like the flat vector; on rank 0 only it is whole.
  private func gather(_ state: Buffer<Float>) throws -> Buffer<Float> {
    let vector = Buffer<Float>(count: layout.count)
    for range in ranges {
      (vector.base + range.elements.lowerBound).update(
        from: state.base + range.stateOffset, count: range.elements.count)
    }
    let ownership = Ownership(layout, ranks: communicator.size)
    for (index, piece) in layout.pieces.enumerated() {
      let own = ownership.range(of: communicator.rank, piece: index)
      try gather(
        UnsafeBufferPointer(rebasing: vector.elements[own]), into: vector.elements[piece],
        RankBlocks(counts: ownership.counts(ofPiece: index)))
    }
    return vector
  }

  /// A carried state of all lanes, on rank 0.
  private func gather(_ state: CarriedState) throws -> Buffer<Float> {
    let width = state.values.columns
    let all = Buffer<Float>(count: lanesOfRank.joined().count * width)
    try gather(
      UnsafeBufferPointer(start: state.values.base, count: state.values.count), into: all.elements[...],
      RankBlocks(counts: lanesOfRank.map { $0.count * width }))
    return all
  }

  private func gather(
    _ own: UnsafeBufferPointer<Float>, into all: Slice<UnsafeMutableBufferPointer<Float>>,
    _ blocks: RankBlocks
  ) throws {
    try communicator.gather(own, into: UnsafeMutableBufferPointer(rebasing: all), blocks)
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
