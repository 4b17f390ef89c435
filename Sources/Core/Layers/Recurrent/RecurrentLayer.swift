import CKernels
import Chunks

/// A layer of recurrent cells: the loop over the time steps of a chunk, state and resets, and the products that all
/// cells have in common.
///
/// h_t = cell(x_t weight_ih^T + bias, h_{t-1} weight_hh^T). The input projection and the gradients of the weights
/// are one product over the whole chunk; only the recurrent product runs step by step, with weights packed
/// when they change. Truncated backpropagation through time (Williams & Peng 1990): the state is carried to the next
/// chunk, the gradient stops at the boundary, and at resets. In reverse, h_t follows h_{t+1}.
final class RecurrentLayer<Cell: RecurrentCell>: Module {
  /// h of all steps [T B, H], and what else others read of it.
  let outputs: RecurrentOutputs

  private let context: ModuleContext
  private let parts: RecurrentParts
  private let cell: Cell
  private let projection: any InputProjection
  private let h: StateSequence
  private let transition: Transition?
  private let states: [StateSequence]
  private let shown: [(state: StateSequence, signal: Signal)]
  private let inputBias: Matrix
  private let recurrent: Matrix
  private let packedForward: MatrixProducts.Packed
  private let packedGradients: [(part: RecurrentGradient, weights: MatrixProducts.Packed)]
  private let partGradients: [(weights: Gradient, bias: Gradient)]

  /// Layer `index` of a stack.
  init(
    _ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction, links: RecurrentLinks
  ) {
    let hidden = configuration.hidden
    let width = Cell.gateCount * hidden
    let context = builder.context
    self.context = context
    let parts = RecurrentParts(
      builder, configuration, layer: index, direction: direction, inputs: input.width, gates: Cell.gateCount,
      keepingGate: Cell.keepingGate, links: links)
    self.parts = parts
    h = parts.state("h", builder)
    cell = Cell(builder, parts)
    transition = Transition(builder, parts)
    projection = input.projection(builder, weight: parts.weightInput)
    states = [h] + cell.cellStates
    inputBias = builder.floats(1, width)
    recurrent = builder.floats(context.shape.lanes, width)
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: width, inputs: hidden)
    packedForward = builder.packed(outputs: width, inputs: hidden, accumulate: false)
    packedGradients = cell.recurrentGradients.map {
      (part: $0, weights: builder.packed(outputs: hidden, inputs: $0.rows.count, accumulate: true))
    }
    partGradients = cell.recurrentGradients.map {
      (parts.weightRecurrent.gradient.rows($0.rows), parts.biasRecurrent.gradient.columns($0.rows))
    }
    let output = builder.signal(h.name, value: h.output)
    shown =
      links.showsStates ? cell.cellStates.map { ($0, builder.signal($0.name, value: $0.output)) } : []
    outputs = RecurrentOutputs(states: [output] + shown.map(\.signal), context: projection.context)
    builder.add(self)
  }

  func prepareWeights() {
    let weights = parts.weightRecurrent.weights
    context.products.packForward(weights, into: packedForward)
    for (part, packed) in packedGradients {
      context.products.packInputGradient(weights.rows(part.rows), into: packed)
    }
    projection.prepareWeights()
    transition?.prepareWeights()
    cell.writeInputBias(to: inputBias)
  }

  func forward(_ chunk: Chunk) {
    for state in states { state.enter(chunk) }
    let x = projection.forward(chunk, bias: inputBias.base, gates: cell.gates)
    for k in 0..<chunk.steps {
      let t = step(k, chunk)
      let previous = h.before(t, chunk)
      projection.step(t, chunk, previous: previous, gates: cell.gates)
      let read = transition?.forward(t, chunk, previous: previous) ?? previous
      context.products.multiply(read, packedForward, into: recurrent)
      cell.forward(t, chunk, x: x.step(t), recurrent: recurrent, previous: previous, h: h.after(t))
    }
    for state in states { state.leave(chunk) }
  }

  func backward(_ chunk: Chunk) {
    let (gradient, lanes) = (outputs.states[0].gradient, chunk.lanes)
    let last = gradient.step(step(chunk.steps - 1, chunk), of: lanes)
    st_add(last.count, last.base, h.gradient.base, last.base)
    h.gradient.clear()
    for k in (0..<chunk.steps).reversed() {
      let t = step(k, chunk)
      // The gradient of h_{k-1} gathers where its readers left their part, unless it leaves the chunk. A lane that is
      // reset sets that part aside; what the others compute must not depend on it.
      let dPrevious = k > 0 ? gradient.step(step(k - 1, chunk), of: lanes) : h.gradient
      if k > 0 { h.exchangeGradient(dPrevious, at: t, chunk) }
      for (state, signal) in shown { state.gradient.add(signal.gradient.step(t, of: lanes)) }
      cell.backward(
        t, chunk, dh: gradient.step(t, of: lanes), h: h.after(t), previous: h.before(t, chunk),
        dPrevious: dPrevious)
      transition?.gradient.clear()
      for (part, packed) in packedGradients {
        context.products.multiply(
          part.gates.step(t, of: lanes), packed, into: transition?.gradient ?? dPrevious)
      }
      transition?.backward(t, chunk, into: dPrevious)
      projection.backwardStep(t, chunk, gateGradients: cell.gates, dPrevious: dPrevious)
      if k > 0 { h.exchangeGradient(dPrevious, at: t, chunk) }
      h.cutGradient(at: t, chunk)
    }
    h.applyResets(chunk)
    for state in states { state.finishGradients(chunk) }
    addWeightGradients(chunk)
    projection.backward(chunk, gateGradients: cell.gates)
  }

  /// The time of the k-th step.
  private func step(_ k: Int, _ chunk: Chunk) -> Int { parts.direction.time(ofStep: k, chunk) }

  private func addWeightGradients(_ chunk: Chunk) {
    let (gradients, rows) = (context.gradients, chunk.rows)
    let read = transition?.output ?? h.previous
    gradients.addColumnSums(cell.gates.prefix(rows), steps: chunk.steps, to: parts.biasInput.gradient)
    for (part, gradient) in zip(cell.recurrentGradients, partGradients) {
      let gates = part.gates.prefix(rows)
      gradients.addProduct(gates, read.prefix(rows), steps: chunk.steps, to: gradient.weights)
      gradients.addColumnSums(gates, steps: chunk.steps, to: gradient.bias)
    }
    transition?.addWeightGradients(chunk, previous: h.previous)
  }
}

extension RecurrentCell {
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) -> Signal {
    addLayer(
      to: builder, configuration, layer: index, reading: input, direction: direction, links: RecurrentLinks()
    ).states[0]
  }

  /// The same with links to other layers; returns all that it makes.
  static func addLayer(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction, links: RecurrentLinks
  ) -> RecurrentOutputs {
    RecurrentLayer<Self>(
      builder, configuration, layer: index, reading: input, direction: direction, links: links
    ).outputs
  }
}
