import CKernels
import Chunks
import Settings

/// The imaginary parts with which systems of `s4d` layers begin.
package enum S4DInitialization: String, Sendable, CaseIterable {
  /// pi n
  case lin
  /// N / pi (N / (2 n + 1) - 1)
  case inv
}

extension S4DInitialization: SettingValue {}

/// The settings of `s4d` layers.
package struct S4DOptions: LayerOptions {
  /// N, the states of each channel: half as many conjugate pairs.
  package var states = 64
  /// The imaginary parts of A before training.
  package var initialization = S4DInitialization.lin
  /// The least and the greatest step size before training.
  package var leastStep = 0.001
  package var greatestStep = 0.1

  package init() {}

  package static let settings: [Setting<S4DOptions>] = [
    Setting(
      "states", \.states, .within(2, 1024), "States of each channel of an s4d layer, an even number"),
    Setting(
      "init", \.initialization,
      "Imaginary parts of the states' eigenvalues at the start: lin, pi n, or inv, N / pi (N / (2 n + 1) - 1)"
    ),
    Setting("dt_min", \.leastStep, .within(1e-6, 10), "Least step size of s4d layers at the start"),
    Setting("dt_max", \.greatestStep, .within(1e-6, 10), "Greatest step size of s4d layers at the start"),
  ]
}

/// A diagonal state space model (Gu, Gupta, Goel & Re 2022): each channel has its own linear system of N / 2 conjugate pairs,
///
///     A = -exp(log_A_real) + i A_imag,    dt = exp(log_dt)
///     Abar = exp(dt A),    Bbar = (exp(dt A) - 1) / A
///     h_t = Abar h_{t-1} + Bbar x_t,    y_t = 2 Re(sum over n of C_n h_{t,n}) + D x_t
///
/// with log_dt [H]; log_A_real, A_imag [H, N/2]; C [H, N/2, 2], real and imaginary parts; D [H]. h is [2, N/2, H], real and
/// imaginary parts. It is as wide as what it reads: a linear map `NAME`.in comes before where that is not `hidden` wide.
final class S4DLayer: Module {
  /// y. [T B, H]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let direction: Direction
  private let system: DiagonalSystem
  private let state: ScanState

  init(
    _ builder: Builder, _ configuration: ModelConfiguration, name: String, reading input: Signal,
    direction: Direction
  ) {
    let channels = input.value.columns
    context = builder.context
    (self.input, self.direction) = (input, direction)
    system = DiagonalSystem(builder, configuration[S4DOptions.self], name: name, channels: channels)
    sink = builder.read(input)
    state = ScanState(
      builder, configuration, name: "\(name).h", width: 2 * system.pairs * channels,
      block: Int(ST_DIAGONAL_BLOCK), direction: direction)
    output = builder.signal(name, columns: channels)
    builder.add(self)
  }

  func prepareWeights() { system.prepareWeights() }

  func forward(_ chunk: Chunk) {
    state.forward(chunk) { lane in
      var scan = scan(chunk, lane: lane)
      st_diagonal_scan_forward(&scan, state.values[lane], output.value[direction.firstRow(chunk) + lane])
    }
  }

  func backward(_ chunk: Chunk) {
    system.clearGradients()
    if let sink {
      sink.write(rows: chunk.rows) { scanBackward(chunk, into: $0) }
    } else {
      scanBackward(chunk, into: nil)
    }
    system.addGradients()
  }

  private func scanBackward(_ chunk: Chunk, into dx: Matrix?) {
    let first = direction.firstRow(chunk)
    state.backward { lane in
      let shard = lane / context.shape.lanesPerShard
      var scan = scan(chunk, lane: lane)
      st_diagonal_scan_backward(
        &scan, output.gradient[first + lane], state.gradient[lane], system.gradients[shard],
        system.skipGradients[shard], dx?[first + lane])
    }
  }

  private func scan(_ chunk: Chunk, lane: Int) -> st_diagonal_scan {
    st_diagonal_scan(
      scan: state.scan(chunk, lane: lane, channels: input.value.columns, states: system.pairs),
      inputs: input.value[direction.firstRow(chunk) + lane], system: system.planes.base,
      skip: system.skip.weights.base)
  }
}

extension S4DLayer: ReversibleLayer {
  typealias Options = S4DOptions
  static let name = "s4d"
  static let obstacleToTimeBlocks: String? = nil
  static let isLinear = true

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) -> Signal {
    let name = direction.name("s4d.\(index)")
    var input = input.signal(builder)
    if input.value.columns != configuration.hidden {
      let initializer = Initializer.weights(
        configuration.initialization.input, outputs: configuration.hidden, inputs: input.value.columns,
        blocks: 1, hidden: configuration.hidden)
      input =
        Linear(
          builder, name: "\(name).in", reading: input, outputs: configuration.hidden, initializer: initializer
        ).output
    }
    return S4DLayer(builder, configuration, name: name, reading: input, direction: direction).output
  }

  static func check(_ configuration: ModelConfiguration) throws {
    let options = configuration[S4DOptions.self]
    guard options.states % 2 == 0 else {
      throw ConfigurationError(
        "model.s4d.states \(options.states): expected an even number, of conjugate pairs, such as "
          + "\(options.states + 1)")
    }
    guard options.leastStep <= options.greatestStep else {
      throw ConfigurationError(
        "model.s4d.dt_min \(options.leastStep) is greater than model.s4d.dt_max \(options.greatestStep)")
    }
  }
}
