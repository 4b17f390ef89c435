import CKernels

/// A part of the gradients of a cell's gates, and the rows of weight_hh that it belongs to.
struct RecurrentGradient {
  /// [T B, rows.count]
  let gates: Matrix
  /// The rows of weight_hh and bias_hh.
  let rows: Range<Int>
}

/// The equations of a recurrent cell, and their gradients, a step at a time.
protocol RecurrentCell: AnyObject {
  /// G, the number of gates, each H wide.
  static var gateCount: Int { get }

  init(_ context: LayerContext, _ names: RecurrentNames, _ configuration: ModelConfiguration)

  /// Forward: the activated gates; the input projection may be written here before. After `backward` of a step: the
  /// gradient of its input projection. [T B, G H]
  var gates: Matrix { get }
  /// After `backward` of all steps: the gradients of the recurrent products h_prev weight_hh^T + bias_hh, in parts.
  var recurrentGradients: [RecurrentGradient] { get }
  /// The states that the cell has besides h.
  var cellStates: [StateSequence] { get }

  /// The bias that belongs to the input projection, [G H].
  func writeInputBias(to bias: Matrix)
  /// Step t: `x` holds the projected input, `recurrent` [B, G H] the product of h_prev; writes h.
  func forward(
    _ t: Int, _ chunk: TokenChunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix)
  /// Step t: from dh, the whole gradient of h, to the gradients of the gates; adds to `dPrevious` what reaches
  /// h_prev other than through the recurrent product.
  func backward(_ t: Int, _ chunk: TokenChunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix)
}

/// The names of a recurrent layer's parameters and states: those of layer `index` of `torch.nn.LSTM`, `GRU` and `RNN`.
struct RecurrentNames {
  let index: Int
  var weightInput: String { "rnn.weight_ih_l\(index)" }
  var weightRecurrent: String { "rnn.weight_hh_l\(index)" }
  var biasInput: String { "rnn.bias_ih_l\(index)" }
  var biasRecurrent: String { "rnn.bias_hh_l\(index)" }
  /// The name of a state, `h` or `c`.
  func state(_ letter: String) -> String { "rnn.\(letter)_l\(index)" }
  /// The name of a state's learnt initial value.
  func initial(_ letter: String) -> String { "rnn.initial_\(letter)_l\(index)" }
}

/// A layer of recurrent cells: the loop over the time steps of a chunk, state and resets, and the products that all
/// cells have in common.
///
/// h_t = cell(x_t weight_ih^T + bias, h_{t-1} weight_hh^T). The input projection and the gradients of the weights
/// are one product over the whole chunk; only the recurrent product runs step by step, with weights packed
/// when they change. Truncated backpropagation through time (Williams & Peng 1990): the state is carried to the next
/// chunk, the gradient stops at the boundary, and at resets.
final class RecurrentLayer<Cell: RecurrentCell>: Layer {
  /// h of all steps, and its gradient. [T B, H]
  let output: Signal
  let states: [StateSequence]

  private let context: LayerContext
  private let weights: ParameterView
  private let biasInput: ParameterView
  private let biasRecurrent: ParameterView
  private let cell: Cell
  private let projection: any InputProjection
  private let h: StateSequence
  private let inputBias: Buffer<Float>
  private let recurrent: Buffer<Float>
  private let packedForward: MatrixProducts.Packed
  private let packedGradients: [(part: RecurrentGradient, weights: MatrixProducts.Packed)]
  private let partGradients: [(weights: Gradient, bias: Gradient)]

  /// Layer `names.index`, which reads what `projection` projects; `outputGradient` [T B, H] is the memory of its
  /// output's gradient.
  init(
    _ context: LayerContext, _ names: RecurrentNames, _ configuration: ModelConfiguration,
    projection: any InputProjection, outputGradient: Matrix
  ) {
    let hidden = configuration.hidden
    let width = Cell.gateCount * hidden
    self.context = context
    weights = context.gradients.parameter(names.weightRecurrent)
    biasInput = context.gradients.parameter(names.biasInput)
    biasRecurrent = context.gradients.parameter(names.biasRecurrent)
    self.projection = projection
    cell = Cell(context, names, configuration)
    h = StateSequence(
      names.state("h"), context, hidden: hidden, initialState: configuration.initialState,
      learntName: names.initial("h"))
    states = [h] + cell.cellStates
    output = Signal(value: h.output, gradient: outputGradient)
    inputBias = Buffer(count: width)
    recurrent = Buffer(rows: context.shape.lanes, columns: width)
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: width, inputs: hidden)
    packedForward = context.products.makePacked(outputs: width, inputs: hidden, accumulate: false)
    packedGradients = cell.recurrentGradients.map {
      (
        part: $0,
        weights: context.products.makePacked(outputs: hidden, inputs: $0.rows.count, accumulate: true)
      )
    }
    let (weights, bias) = (weights.gradient, biasRecurrent.gradient)
    partGradients = cell.recurrentGradients.map { (weights.rows($0.rows), bias.columns($0.rows)) }
  }

  func prepareWeights() {
    context.products.packForward(weights.weights, into: packedForward)
    for (part, packed) in packedGradients {
      context.products.packInputGradient(weights.weights.rows(part.rows), into: packed)
    }
    cell.writeInputBias(to: inputBias.matrix(rows: 1, columns: inputBias.count))
  }

  func forward(_ chunk: TokenChunk) {
    let recurrent = recurrent.matrix(rows: context.shape.lanes, columns: cell.gates.columns)
    for state in states { state.enter() }
    let x = projection.forward(chunk, bias: inputBias.base, gates: cell.gates)
    for t in 0..<context.shape.steps {
      let previous = h.before(t, chunk)
      context.products.multiply(previous, packedForward, into: recurrent)
      cell.forward(t, chunk, x: x.step(t), recurrent: recurrent, previous: previous, h: h.after(t))
    }
  }

  func backward(_ chunk: TokenChunk) {
    let (steps, lanes) = (context.shape.steps, context.shape.lanes)
    let last = output.gradient.step(steps - 1, of: lanes)
    st_add(last.count, last.base, h.gradient.base, last.base)
    h.gradient.clear()
    for t in (0..<steps).reversed() {
      // The gradient of h_{t-1} gathers where the layer above left its part, unless it leaves the chunk. A lane that
      // is reset sets that part aside; what the others compute must not depend on it.
      let dPrevious = t > 0 ? output.gradient.step(t - 1, of: lanes) : h.gradient
      if t > 0 { h.exchangeGradient(dPrevious, at: t, chunk) }
      cell.backward(
        t, chunk, dh: output.gradient.step(t, of: lanes), h: h.after(t), previous: h.before(t, chunk),
        dPrevious: dPrevious)
      for (part, packed) in packedGradients {
        context.products.multiply(part.gates.step(t, of: lanes), packed, into: dPrevious)
      }
      if t > 0 { h.exchangeGradient(dPrevious, at: t, chunk) }
      h.cutGradient(at: t, chunk)
    }
    h.applyResets(chunk)
    addWeightGradients()
    projection.backward(chunk, gateGradients: cell.gates)
  }

  private func addWeightGradients() {
    context.gradients.addColumnSums(cell.gates, to: biasInput.gradient)
    for (part, gradient) in zip(cell.recurrentGradients, partGradients) {
      context.gradients.addProduct(part.gates, h.previous, to: gradient.weights)
      context.gradients.addColumnSums(part.gates, to: gradient.bias)
    }
  }
}
