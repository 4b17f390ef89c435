import CKernels
import Chunks
import Preconditions

/// A model: modules that a family has put together, and the head with its objective at their end.
///
/// It computes with chunks of up to a fixed size, in memory that is allocated once, here.
package final class Model {
  /// The memory of the parameters.
  package let memory: ParameterMemory
  /// The shape of the chunks.
  package let shape: ChunkShape
  /// The states that are carried from chunk to chunk, in the order of the modules.
  package let states: [CarriedState]
  /// What the head reads of each position of the last chunk, [T B, H]. Of a recurrent layer `train` leaves the initial
  /// state in place of an output that the next time step's reset follows.
  package let hidden: Matrix
  /// Losses, weights and measures of the last chunk, by lane.
  package var sums: LaneSums { head.sums }
  /// What tells true inputs from drawn ones, in training with professor forcing.
  package let discriminator: Discriminator?
  /// Where the time of its passes goes.
  package let meter = StepMeter()

  private let gradients: GradientSums
  private let timeline: Timeline
  private let modules: [(module: any Module, axis: TimeAxis)]
  private let head: Head
  private let pieces: [Int?]
  private let signals: [Signal]
  private let encodings: [Signal]
  private let sourceAttention: [any SourceAttending]
  /// Keeps the memory that signals point to.
  private let memories: [AnyObject]

  /// A model over the weights of `memory`, which has the layout of its blueprint, in zero state.
  ///
  /// - Parameters:
  ///   - tracks: What chunks hold.
  ///   - bfloat16: What computes the products where `precision` is `.bfloat16`.
  ///   - sharing: Memory for the packed weights that the models of several ranks share. They wait for each other before
  ///     and after `prepareWeights`, and after this.
  ///   - tiles: What the rank computes of the run's chunks, `shape` as a whole; nil for all of them.
  ///   - messages: What passes states between ranks that compute other tiles of the same lanes.
  ///   - dropoutSeed: The seed of the dropout masks in training; nil for evaluation, which drops nothing and has no
  ///     discriminator.
  ///   - accumulates: Whether gradients of several chunks make one update. Each shard of the rank then has a vector of
  ///     gradients of its own.
  ///   - stepByStep: Whether each time step of the streams is a chunk, also of pairs, whose chunks hold whole targets
  ///     otherwise: their decoders then carry what they attend to of the target.
  package init(
    _ configuration: ModelConfiguration, tracks: TrackSet, memory: ParameterMemory, shape: ChunkShape,
    precision: Precision, bfloat16: BFloat16Products = .preferred, sharing: SharedPacking? = nil,
    tiles: [Tile]? = nil, messages: (any TileMessages)? = nil, dropoutSeed: UInt64? = nil,
    accumulates: Bool = false, stepByStep: Bool = false
  ) {
    let options = BuildOptions(
      shape: shape, tracks: tracks, tiles: tiles, messages: messages, dropoutSeed: dropoutSeed,
      discriminates: dropoutSeed != nil, goesStepByStep: stepByStep)
    let blueprint = Blueprint(configuration, options)
    let builder = Builder(
      placing: blueprint, options, memory: memory,
      products: MatrixProducts(
        precision: precision, bfloat16: bfloat16, shape: shape, meter: meter, sharing: sharing),
      meter: meter, accumulates: accumulates)
    head = Catalog.build(configuration, builder)
    modules = builder.modules
    self.memory = memory
    self.shape = shape
    gradients = builder.context.gradients
    timeline = builder.context.timeline
    pieces = blueprint.pieces
    states = builder.states
    signals = builder.signals
    encodings = builder.encodings
    sourceAttention = builder.sourceAttention
    discriminator = builder.discriminator
    memories = builder.memories
    hidden = head.input.value
    if MemoryMeasurement.current == nil { prepareWeights() }
  }

  /// Call when the weights have changed.
  package func prepareWeights() {
    for (module, _) in modules { module.prepareWeights() }
  }

  /// Sets the gradients to zero: call before the first chunk of an update.
  package func clearGradients() { gradients.clear() }

  /// Computes the chunk's losses and adds the gradients of their sum to those of the parameters. In the last chunk of an
  /// update `finished` is told each piece of the layout when its gradients are complete.
  package func train(_ chunk: Chunk, isLast: Bool = true, finished: (Int) -> Void = { _ in }) {
    meter.measure(.pointwise) {
      computeLosses(chunk)
      for state in states { state.gradient.clear() }
      meter.measure(StepMeter.Pass.backward) {
        backpropagate(chunk) { piece in
          guard isLast else { return }
          gradients.finish(piece: piece)
          finished(piece)
        }
      }
      timeline.handOver(states)
    }
  }

  /// Computes what the discriminator says of a chunk whose inputs the model has drawn itself, and adds to the gradients of
  /// the parameters: to its own those of its loss, to all others those of the model's loss of being told apart. `train` of
  /// the same chunk with its true inputs comes next, from the same states.
  package func trainOnDrawnInputs(_ chunk: Chunk) {
    guard let discriminator else { preconditionFailure("the model has a discriminator") }
    meter.measure(.pointwise) {
      discriminator.readsDrawnInputs = true
      defer { discriminator.readsDrawnInputs = false }
      meter.measure(StepMeter.Pass.forward) { forward(chunk) }
      head.input.gradient.prefix(chunk.rows).clear()
      for state in states { state.gradient.clear() }
      meter.measure(StepMeter.Pass.backward) {
        for (module, axis) in modules.reversed() { module.backward(axis.part(of: chunk)) }
      }
    }
  }

  /// The first half of `train`: as far as the gradient of what the head reads, and those of the head.
  package func computeLosses(_ chunk: Chunk) {
    meter.measure(StepMeter.Pass.forward) {
      forward(chunk)
      head.computeLosses(chunk, .training)
    }
  }

  /// The second half of `train`, from the gradients of the states that leave the chunk.
  package func backpropagate(_ chunk: Chunk, finished: (Int) -> Void = { _ in }) {
    if let piece = pieces[modules.count] { finished(piece) }
    for index in modules.indices.reversed() {
      let (module, axis) = modules[index]
      module.backward(axis.part(of: chunk))
      if let piece = pieces[index] { finished(piece) }
    }
  }

  /// Computes the chunk's losses, and all that the objective measures and records, with what belongs to predictions
  /// alone only in that pass.
  package func evaluate(_ chunk: Chunk, _ pass: ObjectivePass = .evaluation) {
    precondition(pass != .training, "an evaluation has no gradients")
    forward(chunk)
    head.computeLosses(chunk, pass)
  }

  /// What the head makes of the last step of the chunk for each lane, [B, O]; runs the modules, not the loss.
  package func predict(_ chunk: Chunk) -> Matrix {
    forward(chunk)
    return head.computeOutputs(chunk.rows - chunk.lanes..<chunk.rows)
  }

  /// Of pairs, has the encoder read the sources of a chunk.
  package func encode(_ chunk: Chunk) { forward(chunk, along: .source) }

  /// Takes what another model of the same weights has encoded, in place of encoding: each of its lanes for `copies` lanes of
  /// this one.
  ///
  /// - Parameter steps: Those of the sources.
  package func takeEncodings(of other: Model, steps: Int, copies: Int) {
    let (lanes, others) = (shape.lanes, other.shape.lanes)
    precondition(lanes == others * copies, "\(lanes) lanes take over \(others), each \(copies) times")
    for (own, encoded) in zip(encodings, other.encodings) {
      // What there is of a whole source has one step.
      for step in 0..<min(steps, encoded.value.rows / others) {
        for lane in 0..<lanes {
          own.value[step * lanes + lane].update(
            from: encoded.value[step * others + lane / copies], count: own.value.columns)
        }
      }
    }
  }

  /// Has the decoder read a chunk of the pairs whose sources were encoded; returns what the head makes of the last step
  /// for each lane, [B, O]. Its states are carried on.
  package func decode(_ chunk: Chunk) -> Matrix {
    forward(chunk, along: .stream)
    return head.computeOutputs(chunk.rows - chunk.lanes..<chunk.rows)
  }

  /// Whether it is of pairs, and a decoder attends to their sources.
  package var attendsToSources: Bool { !sourceAttention.isEmpty }

  /// The weights that the decoder gave the positions of the source, of so many, at a row of the last chunk: the mean over
  /// all heads of all layers that attend to it.
  package func sourceAttention(ofRow row: Int, positions: Int) -> [Float] {
    var sums = [Float](repeating: 0, count: positions)
    for attention in sourceAttention { attention.addWeights(ofRow: row, to: &sums) }
    let heads = Float(sourceAttention.reduce(0) { $0 + $1.headCount })
    return sums.map { $0 / heads }
  }

  /// Of pairs, the states that the decoder carries.
  package var decoderStates: [CarriedState] { states.filter { $0.axis == .stream } }

  /// Runs all modules, or those along one axis.
  private func forward(_ chunk: Chunk, along axis: TimeAxis? = nil) {
    for module in modules where axis == nil || module.axis == axis {
      module.module.forward(module.axis.part(of: chunk))
    }
  }

  /// What there is of each position of the last chunk.
  package var records: [Record] { head.records }

  /// The first tensor that holds a value that is not finite, in the order in which the forward pass makes them: a
  /// parameter, what enters from the chunk before, the output of a module, the losses; with the lane where it has one.
  package func firstNonFinite() -> (name: String, lane: Int?)? {
    if let weight = memory.firstNonFiniteWeight { return (weight.parameter.name, nil) }
    let tensors = states.map { ($0.name, $0.entering) } + signals.map { ($0.name, $0.value) }
    for (name, values) in tensors {
      let element = st_first_non_finite(values.count, values.base)
      if element >= 0 { return (name, element / values.columns % shape.lanes) }
    }
    return head.firstNonFinite.map { ("head", $0 % shape.lanes) }
  }

  /// Sets all states to zero.
  package func clearStates() {
    for state in states { state.values.clear() }
  }
}
