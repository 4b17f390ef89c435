import Chunks

/// The end of a model: a linear map of what it reads, and the objective behind it.
///
///     o = h weight^T + bias -> losses, weights and measures, summed by lane
///
/// It comes behind all modules. With gradients it runs its backward pass together with its forward pass, over blocks of time steps, so that the
/// outputs for a whole chunk of a large vocabulary never stand in memory at once.
final class Head {
  /// What it reads. [T B, H]
  let input: Signal
  /// Of the last chunk, by lane.
  let sums: LaneSums

  /// A block's outputs take at most this many floats a shard, unless one step needs more.
  private static let blockBudget = 8 << 20

  private let context: ModuleContext
  private let objective: any Objective
  private let measures: [Record]
  private let sink: Sink?
  private let weight: ParameterView
  private let bias: ParameterView
  private let blockSteps: Int
  private let outputs: Matrix
  private let losses: Buffer<Double>
  private let sumMemory: Buffer<Double>
  private var rows = 0

  /// Reads `input` [T B, H] by the parameters `weight` [O, H] and head.bias [O].
  init(
    _ builder: Builder, reading input: Signal, objective: any Objective, weight: String = "head.weight",
    initializer: Initializer
  ) {
    let shape = builder.shape
    // A function of the shard's shape alone: the sums of its gradients are cut at the ends of blocks.
    blockSteps = min(shape.steps, max(1, Self.blockBudget / (shape.lanesPerShard * objective.outputs)))
    let contributions: GradientSums.Contributions = blockSteps < shape.steps ? .inParts : .atOnce
    self.weight = builder.parameter(
      weight, [objective.outputs, input.value.columns], initializer, contributions)
    bias = builder.parameter("head.bias", [objective.outputs], .constant(0), contributions)
    outputs = builder.floats(blockSteps * shape.lanes, objective.outputs)
    builder.context.products.reserve(
      rows: blockSteps * shape.lanesPerShard, outputs: objective.outputs, inputs: input.value.columns)
    sink = builder.read(input)
    losses = Buffer(count: shape.rows)
    measures = objective.records.filter { $0.use.contains(.summed) }
    let names = LaneSums.names + measures.map(\.name)
    sumMemory = Buffer(count: shape.lanes * names.count)
    sums = LaneSums(names, sumMemory.base)
    context = builder.context
    self.input = input
    self.objective = objective
  }

  /// Computes the losses and their sums; in training also the gradient of the input, and adds to those of the
  /// parameters; otherwise also all else that the objective measures and records.
  func computeLosses(_ chunk: Chunk, _ pass: ObjectivePass) {
    let lanes = chunk.lanes
    let weights = objective.weigh(chunk, pass)
    rows = chunk.rows
    sumMemory.clear()
    for first in stride(from: 0, to: chunk.steps, by: blockSteps) {
      let rows = first * lanes..<min(first + blockSteps, chunk.steps) * lanes
      let outputs = computeOutputs(rows)
      context.meter.measure(.softmax) {
        objective.compute(outputs, rows: rows, of: chunk, losses: losses.base, pass)
      }
      if pass == .training {
        context.meter.measure(StepMeter.Pass.backward) { backward(outputs, rows) }
      }
    }
    sumByLane(chunk, weights)
    if pass != .training { sumMeasures(chunk) }
  }

  /// The outputs of the rows of a block of at most `blockSteps` steps, valid until the next call. [rows, O]
  func computeOutputs(_ rows: Range<Int>) -> Matrix {
    let outputs = outputs.prefix(rows.count)
    context.affine(input.value.rows(rows), weight.weights, bias.weights.base, into: outputs)
    return outputs
  }

  private func backward(_ dOutputs: Matrix, _ rows: Range<Int>) {
    let steps = rows.count / context.shape.lanes
    context.gradients.addProduct(dOutputs, input.value.rows(rows), steps: steps, to: weight.gradient)
    context.gradients.addColumnSums(dOutputs, steps: steps, to: bias.gradient)
    sink?.write(dOutputs, times: weight.weights, rows: rows, context.products)
  }

  private func sumByLane(_ chunk: Chunk, _ weights: UnsafePointer<Float>) {
    for t in 0..<chunk.steps {
      for lane in 0..<chunk.lanes {
        let position = t * chunk.lanes + lane
        sums[lane, LaneSums.loss] += losses.base[position]
        sums[lane, LaneSums.weight] += Double(weights[position])
        sums[lane, LaneSums.targets] += chunk.weights[position] > 0 ? 1 : 0
      }
    }
  }

  private func sumMeasures(_ chunk: Chunk) {
    for (index, record) in measures.enumerated() {
      for position in 0..<chunk.rows {
        sums[position % chunk.lanes, LaneSums.names.count + index] += record.number(at: position)
      }
    }
  }

  /// What there is of each position of the last chunk.
  var records: [Record] {
    let loss = Record(
      name: "loss", description: "the loss", unit: "nat", use: [.kept, .summed], columns: 1,
      values: .doubles(losses.base))
    return [loss] + objective.records
  }

  /// The first position of the last chunk whose loss is not finite.
  var firstNonFinite: Int? { losses.elements.prefix(rows).firstIndex { !$0.isFinite } }
}
