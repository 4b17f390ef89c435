import CKernels
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

/// A recurrence whose gates don't read the state (Feng et al. 2024, arXiv 2410.01201); `st_minimal_forward` has its steps.
protocol MinimalCell: ReversibleLayer {
  /// The gates of each unit. Each is a sum of all inputs; the candidate is one more.
  static var gateCount: Int { get }

  /// What units may take in.
  static func candidate(_ configuration: ModelConfiguration) -> Candidate
  /// How the biases of the sums are filled, where weights are uniform within a bound.
  static func bias(_ configuration: ModelConfiguration, bound: Double) -> Initializer
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
  private let isPositive: Bool
  private let bias: ParameterView
  private let projection: any InputProjection
  private let h: StateSequence
  /// Forward, the sums, unless the projection has memory of its own; backward, their gradients. [T B, (G + 1) H]
  private let sums: Matrix
  private var projected: ProjectedInput?

  init(
    _ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) {
    let name = direction.name("\(Cell.name).\(index)")
    let width = (Cell.gateCount + 1) * configuration.hidden
    let bound = 1 / Double(input.width).squareRoot()
    context = builder.context
    self.direction = direction
    isPositive = Cell.candidate(configuration) == .positive
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
      h.forward(chunk) { tile in
        for k in 0..<chunk.steps {
          let (t, lanes) = (direction.time(ofStep: k, chunk), tile.columns)
          let (x, after) = (projected.step(t, lanes: lanes), h.after(t).rows(lanes))
          st_minimal_forward(
            after.rows, after.columns, Cell.gateCount, x.rows, x.index,
            h.before(t, chunk, lanes: lanes).base, isPositive, after.base)
        }
      }
    }
    h.leave(chunk)
    self.projected = projected
  }

  func backward(_ chunk: Chunk) {
    guard let projected else { return }
    context.meter.measure(.scans) {
      h.backward { tile in
        for k in (0..<chunk.steps).reversed() {
          let (t, lanes) = (direction.time(ofStep: k, chunk), tile.columns)
          let x = projected.step(t, lanes: lanes)
          let dh = output.gradient.step(t, of: chunk.lanes).rows(lanes)
          st_minimal_backward(
            dh.rows, dh.columns, Cell.gateCount, x.rows, x.index, dh.base,
            h.before(t, chunk, lanes: lanes).base, isPositive,
            sums.step(t, of: chunk.lanes).rows(lanes).base, h.gradient.rows(lanes).base)
          h.cutGradient(at: t, chunk, lanes: lanes)
        }
      }
    }
    h.finishGradients(chunk)
    context.gradients.addColumnSums(sums.prefix(chunk.rows), steps: chunk.steps, to: bias.gradient)
    projection.backward(chunk, gateGradients: sums)
  }
}

extension MinimalCell {
  static var obstacleToTimeBlocks: String? { nil }

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
