import Chunks
import Settings

/// What a unit of a minimal recurrence may take in, as a function of the sum c of its inputs.
package enum Candidate: String, Sendable, CaseIterable {
  /// c
  case linear
  /// c + 1/2 from 0 on, sigmoid(c) below.
  case positive
}

extension Candidate: SettingValue {}

/// A recurrence whose gates don't read the state (Feng et al. 2024, arXiv 2410.01201): what its time steps compute.
protocol MinimalCell: ReversibleLayer {
  /// G, the sums of each unit, each of all inputs; the last one is the candidate's.
  static var sumCount: Int { get }

  /// What units may take in.
  static func candidate(_ configuration: ModelConfiguration) -> Candidate
  /// How the biases of the sums are filled, where weights are uniform within a bound.
  static func bias(_ configuration: ModelConfiguration, bound: Double) -> Initializer
  /// A time step: from the sums [B, G H] and the state before to h. [B, H]
  static func forward(_ sums: ProjectedStep, previous: Matrix, candidate: Candidate, h: Matrix)
  /// From dh, and the gradient of h by later steps, which becomes that of the state before, to those of the sums.
  static func backward(
    _ sums: ProjectedStep, dh: Matrix, previous: Matrix, candidate: Candidate, sumGradients: Matrix,
    stateGradient: Matrix)
}

/// A layer of such a recurrence:
///
///     h_t = (1 - s_t) h_{t-1} + s_t c_t
///
/// where the share s_t and the candidate c_t are functions of x_t linear.weight^T + linear.bias, of all steps at once. There is
/// no recurrent matrix. Backward, the gates are computed again from their sums.
final class MinimalLayer<Cell: MinimalCell>: Module {
  /// h. [T B, H]
  let output: Signal

  private let context: ModuleContext
  private let direction: Direction
  private let candidate: Candidate
  private let bias: ParameterView
  private let projection: any InputProjection
  private let h: StateSequence
  /// Forward, the sums, unless the projection has memory of its own; backward, their gradients. [T B, G H]
  private let sums: Matrix
  private var projected: ProjectedInput?

  init(
    _ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) {
    let name = direction.name("\(Cell.name).\(index)")
    let width = Cell.sumCount * configuration.hidden
    let bound = 1 / Double(input.width).squareRoot()
    context = builder.context
    self.direction = direction
    candidate = Cell.candidate(configuration)
    let weight = builder.parameter("\(name).linear.weight", [width, input.width], .uniform(bound: bound))
    bias = builder.parameter("\(name).linear.bias", [width], Cell.bias(configuration, bound: bound))
    h = StateSequence(
      builder, configuration, scan: name, letter: "h", width: configuration.hidden, direction: direction)
    projection = input.projection(builder, weight: weight)
    sums = builder.floats(builder.shape.rows, width)
    output = builder.signal(name, value: h.output)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    h.enter(chunk)
    let projected = projection.forward(chunk, bias: bias.weights.base, gates: sums)
    context.meter.measure(.scans) {
      for k in 0..<chunk.steps {
        let t = direction.time(ofStep: k, chunk)
        Cell.forward(projected.step(t), previous: h.before(t, chunk), candidate: candidate, h: h.after(t))
      }
    }
    h.leave(chunk)
    self.projected = projected
  }

  func backward(_ chunk: Chunk) {
    guard let projected else { return }
    context.meter.measure(.scans) {
      for k in (0..<chunk.steps).reversed() {
        let t = direction.time(ofStep: k, chunk)
        Cell.backward(
          projected.step(t), dh: output.gradient.step(t, of: chunk.lanes), previous: h.before(t, chunk),
          candidate: candidate, sumGradients: sums.step(t, of: chunk.lanes), stateGradient: h.gradient)
        h.cutGradient(at: t, chunk)
      }
    }
    h.finishGradients(chunk)
    context.gradients.addColumnSums(sums.prefix(chunk.rows), steps: chunk.steps, to: bias.gradient)
    projection.backward(chunk, gateGradients: sums)
  }
}

extension MinimalCell {
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) -> Signal {
    MinimalLayer<Self>(builder, configuration, layer: index, reading: input, direction: direction).output
  }
}

extension StateSequence {
  /// The only state of a layer that scans: `NAME.LETTER` in checkpoints, and as its first value `NAME.initial` where that is
  /// learnt or mapped from initial conditions.
  convenience init(
    _ builder: Builder, _ configuration: ModelConfiguration, scan name: String, letter: String, width: Int,
    direction: Direction
  ) {
    self.init(
      builder, "\(name).\(letter)", hidden: width, initialState: configuration.initialState,
      learntName: "\(name).initial",
      initial: InitialMap(builder, configuration, name: "\(name).initial", hidden: width),
      direction: direction)
  }
}
