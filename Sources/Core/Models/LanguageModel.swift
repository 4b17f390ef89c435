import CKernels
import Preconditions

/// A recurrent language model: embedding, recurrent layers, softmax head.
///
///     tokens -> embedding -> [recurrent -> (layer norm) -> (dropout between layers)] x L -> head -> loss
///
/// It computes with chunks of one shape, in memory that is allocated once, here.
package final class LanguageModel {
  /// The memory of the parameters.
  package let memory: ParameterMemory
  /// The shape of the chunks.
  package let shape: ChunkShape
  /// The states that are carried from chunk to chunk, in the order of the layers.
  package let states: [CarriedState]
  /// The outputs of the uppermost layer for the last chunk, [T B, H]. `train` leaves the initial state in place of an
  /// output that the next time step's reset follows, unless the outputs are normalised.
  package let hidden: Matrix

  /// The gradients of `states`, [B, H] each: before the backward pass of those that leave the chunk, after it of those
  /// that entered.
  package let stateGradients: [Matrix]

  /// Where the time of its passes goes.
  package let meter = StepMeter()

  private let sums: GradientSums
  private let layers: [any Layer]
  private let pieces: [Int?]
  private let head: SoftmaxHead
  private let sequences: [StateSequence]
  /// Owns the memory that the layers' signals point to.
  private let gradients: Buffer<Float>

  /// Where the parameters of a model for a vocabulary of `vocabulary` tokens lie.
  package static func layout(_ configuration: ModelConfiguration, vocabulary: Int) -> ParameterLayout {
    ParameterLayout(pieces: ParameterDeclarations(configuration, vocabulary: vocabulary).pieces)
  }

  /// The names of the states that such a model carries, in the order of the layers; each is [lanes, H].
  package static func stateNames(_ configuration: ModelConfiguration) -> [String] {
    (0..<configuration.layers).flatMap { layer in
      configuration.cell.stateLetters.map(RecurrentNames(index: layer).state)
    }
  }

  /// The floats that the packed weights of such a model take, where ranks can share them: not in oneDNN's form.
  package static func packedCount(_ configuration: ModelConfiguration, precision: Precision) -> Int {
    if precision == .bfloat16 && !precision.isEmulated { return 0 }
    let (width, hidden) = (configuration.cell.gateCount * configuration.hidden, configuration.hidden)
    return configuration.layers * (st_packed_size(width, hidden) + st_packed_size(hidden, width))
  }

  /// A model over the weights of `memory`, which has the layout of this configuration, in zero state.
  ///
  /// - Parameters:
  ///   - bfloat16: What computes the products where `precision` is `.bfloat16`.
  ///   - sharing: Memory for the packed weights that the models of several ranks share. They wait for each other before
  ///     and after `prepareWeights`, and after this.
  ///   - firstLane: The number of the rank's first lane among all lanes of the run, a part of the key of dropout masks.
  ///   - dropoutSeed: The seed of the dropout masks in training; nil for evaluation, which drops nothing.
  ///   - accumulates: Whether gradients of several chunks make one update. Each shard of the rank then has a vector of
  ///     gradients of its own.
  package init(
    _ configuration: ModelConfiguration, memory: ParameterMemory, shape: ChunkShape, precision: Precision,
    bfloat16: BFloat16Products = .preferred, sharing: SharedPacking? = nil, firstLane: Int = 0,
    dropoutSeed: UInt64? = nil, accumulates: Bool = false
  ) {
    let products = MatrixProducts(
      precision: precision, bfloat16: bfloat16, shape: shape, meter: meter, sharing: sharing)
    sums = GradientSums(memory, shape: shape, products: products, accumulates: accumulates)
    let context = LayerContext(
      shape: shape, memory: memory, gradients: sums, products: products, meter: meter, firstLane: firstLane)
    var stack = LayerStack(context, configuration)
    for index in 0..<configuration.layers {
      stack.appendRecurrent(index)
      if configuration.layerNorm { stack.appendNorm(index) }
      if let dropoutSeed, configuration.dropout > 0, index + 1 < configuration.layers {
        stack.appendDropout(index, seed: dropoutSeed)
      }
    }
    guard let top = stack.top else { preconditionFailure("a model has at least one layer") }
    self.memory = memory
    self.shape = shape
    layers = stack.layers
    pieces = stack.pieces
    gradients = stack.gradients
    head = SoftmaxHead(
      context, weight: configuration.tied ? "embedding.weight" : "head.weight",
      weightIsShared: configuration.tied, bias: "head.bias", input: top)
    hidden = top.value
    sequences = layers.flatMap(\.states)
    states = sequences.map { CarriedState(name: $0.name, values: $0.carried) }
    stateGradients = sequences.map(\.gradient)
    if MemoryMeasurement.current == nil { prepareWeights() }
  }

  /// To be called when the weights have changed.
  package func prepareWeights() {
    for layer in layers { layer.prepareWeights() }
  }

  /// Sets the gradients to zero: call before the first chunk of an update.
  package func clearGradients() { sums.clear() }

  /// Computes the chunk's losses and adds the gradients of their sum to those of the parameters. In the last chunk of an
  /// update `finished` is told each piece of the layout when its gradients are complete.
  package func train(_ chunk: TokenChunk, isLast: Bool = true, finished: (Int) -> Void = { _ in }) {
    func finish(_ piece: Int) {
      guard isLast else { return }
      sums.finish(piece: piece)
      finished(piece)
    }
    meter.measure(.pointwise) {
      computeLosses(chunk)
      finish(0)
      for gradient in stateGradients { gradient.clear() }
      backpropagate(chunk, finished: finish)
    }
  }

  /// The first half of `train`: as far as the gradient of the uppermost layer's output, and those of the head.
  package func computeLosses(_ chunk: TokenChunk) {
    for layer in layers { layer.forward(chunk) }
    head.forward(chunk, gradient: true)
  }

  /// The second half of `train`, from `stateGradients` of the states that leave the chunk.
  package func backpropagate(_ chunk: TokenChunk, finished: (Int) -> Void = { _ in }) {
    for index in layers.indices.reversed() {
      layers[index].backward(chunk)
      if let piece = pieces[index] { finished(piece) }
    }
  }

  /// Computes the chunk's losses and predictions.
  package func evaluate(_ chunk: TokenChunk) {
    for layer in layers { layer.forward(chunk) }
    head.forward(chunk, gradient: false)
  }

  /// The logits of the last step of the chunk for each lane, [B, V]; runs the layers, not the loss.
  package func predict(_ chunk: TokenChunk) -> Matrix {
    for layer in layers { layer.forward(chunk) }
    return head.computeLogits(shape.rows - shape.lanes..<shape.rows)
  }

  /// The last chunk's losses.
  package var losses: ChunkLosses {
    ChunkLosses(
      lanes: UnsafeBufferPointer(head.losses.elements),
      weights: UnsafeBufferPointer(head.targetWeights.elements),
      positions: UnsafeBufferPointer(head.positionLosses.elements),
      predictions: UnsafeBufferPointer(head.predictions.elements))
  }

  /// The first tensor that holds a value that is not finite, in the order in which the forward pass makes them: a
  /// parameter, the outputs of a layer, the logits' losses; with the lane where it has one.
  package func firstNonFinite() -> (name: String, lane: Int?)? {
    for parameter in memory.layout.parameters
    where st_first_non_finite(parameter.count, memory.weights + parameter.offset) >= 0 {
      return (parameter.name, nil)
    }
    for sequence in sequences {
      for values in [sequence.entering, sequence.output] {
        let element = st_first_non_finite(values.count, values.base)
        if element >= 0 { return (sequence.name, element / values.columns % shape.lanes) }
      }
    }
    let position = head.positionLosses.elements.firstIndex { !$0.isFinite }
    return position.map { ("head", $0 % shape.lanes) }
  }

  /// Sets all states to zero.
  package func clearStates() {
    for state in sequences { state.carried.clear() }
  }
}

/// A state that is carried from chunk to chunk.
package struct CarriedState {
  /// Its name, such as `rnn.h_l0`.
  package let name: String
  /// [B, H]
  package let values: Matrix
}

/// The losses of a chunk, in nats, each multiplied by its target's weight.
package struct ChunkLosses {
  /// The sum over each lane's positions, in Double. [B]
  package let lanes: UnsafeBufferPointer<Double>
  /// The sum of each lane's target weights. [B]
  package let weights: UnsafeBufferPointer<Double>
  /// The loss of each position. [T B]
  package let positions: UnsafeBufferPointer<Double>
  /// The most probable token of each position, the first of equals; after `evaluate` only. [T B]
  package let predictions: UnsafeBufferPointer<Int32>
}
