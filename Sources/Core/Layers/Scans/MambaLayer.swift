import CKernels
import Chunks
import Glibc
import Settings

/// The settings of `mamba` layers.
package struct MambaOptions: LayerOptions {
  /// N, the states of each channel.
  package var states = 16
  /// K, the inputs that the convolution reads.
  package var kernel = 4
  /// The channels, as a multiple of `hidden`.
  package var expand = 2
  /// R, the numbers from which step sizes are made; 0 for a sixteenth of `hidden`.
  package var rank = 0

  package init() {}

  package static let settings: [Setting<MambaOptions>] = [
    Setting("states", \.states, .within(1, 256), "States of each channel of a mamba layer"),
    Setting(
      "kernel", \.kernel, .within(1, 256),
      "Inputs that the convolution of a mamba layer reads: its own and those before"),
    Setting("expand", \.expand, .within(1, 16), "Channels of a mamba layer, as a multiple of its width"),
    Setting(
      "rank", \.rank, .within(0, 65_536),
      "Numbers from which a mamba layer makes its channels' step sizes; 0: a sixteenth of its width"),
  ]
}

/// A selective state space model (Gu & Dao 2023, figure 3 and algorithm 2), with E = expand H channels of N states:
///
///     u_t, r_t = in_proj x_t                                                       each [E]
///     v_t = silu(conv_bias + sum over j < K of conv_weight[:, j] u_{t-K+1+j})      u before a stream 0
///     d_t, B_t, C_t = x_proj v_t                                                   [R], [N], [N]
///     D_t = softplus(dt_proj d_t)                                                  [E]
///     h_t[n] = exp(D_t A[n]) h_{t-1}[n] + D_t B_t[n] v_t                           A = -exp(A_log)
///     y_t = out_proj((sum over n of C_t[n] h_t[n] + D v_t) silu(r_t))
///
/// with the parameters and their first values of the authors' `mamba_simple`, out_proj.weight [H, E]. h is [N, E]. The
/// backward pass writes the gradients of what it has read in its place, so that there is one array of each.
final class MambaLayer: Module {
  /// y. [T B, H]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let inProjection: ParameterView
  private let readProjection: ParameterView
  private let stepProjection: ParameterView
  private let stepBias: ParameterView
  private let outProjection: ParameterView
  private let convolution: DepthwiseConvolution
  private let scan: SelectiveScan
  /// R
  private let rank: Int
  /// u and r, then their gradients. [T B, 2 E]
  private let mixed: Matrix
  /// v. [T B, E]
  private let values: Matrix
  /// d, B and C, then their gradients. [T B, R + 2 N]
  private let selection: Matrix
  /// What softplus reads, then its gradient. [T B, E]
  private let logits: Matrix
  /// What out_proj reads, then its gradient, then that of v. [T B, E]
  private let gated: Matrix

  init(
    _ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: Signal,
    direction: Direction
  ) {
    let options = configuration[MambaOptions.self]
    let (hidden, columns, rows) = (configuration.hidden, input.value.columns, builder.shape.rows)
    let (channels, states) = (options.expand * hidden, options.states)
    let rank = options.rank > 0 ? options.rank : (hidden + 15) / 16
    let name = direction.name("mamba.\(index)")
    func parameter(
      _ suffix: String, _ shape: [Int], _ initializer: Initializer, _ rule: UpdateRule = .ordinary
    ) -> ParameterView {
      builder.parameter("\(name).\(suffix)", shape, initializer, rule: rule)
    }
    func uniform(_ inputs: Int) -> Initializer { .uniform(bound: 1 / Double(inputs).squareRoot()) }

    context = builder.context
    (self.input, self.rank) = (input, rank)
    inProjection = parameter("in_proj.weight", [2 * channels, columns], uniform(columns))
    let taps = parameter("conv_weight", [channels, options.kernel], uniform(options.kernel))
    let bias = parameter("conv_bias", [channels], uniform(options.kernel))
    readProjection = parameter("x_proj.weight", [rank + 2 * states, channels], uniform(channels))
    stepProjection = parameter("dt_proj.weight", [channels, rank], uniform(rank))
    stepBias = parameter(
      "dt_proj.bias", [channels], .uniformBetween(log(0.001), log(0.1), .inverseSoftplusOfExponential))
    let decay = parameter(
      "A_log", [channels, states], .rows((1...states).map { Float(log(Double($0))) }), .undecayed)
    let skip = parameter("D", [channels], .constant(1), .undecayed)
    outProjection = parameter(
      "out_proj.weight", [hidden, channels], uniform(channels).scaled(by: configuration.writerFactor))
    sink = builder.read(input)

    let products = context.products
    for weight in [inProjection, readProjection, stepProjection, outProjection] {
      products.reserve(
        rows: builder.shape.rowsPerShard, outputs: weight.weights.rows, inputs: weight.weights.columns)
    }
    mixed = builder.floats(rows, 2 * channels)
    values = builder.floats(rows, channels)
    selection = builder.floats(rows, rank + 2 * states)
    logits = builder.floats(rows, channels)
    gated = builder.floats(rows, channels)
    convolution = DepthwiseConvolution(
      builder, configuration, name: name, width: options.kernel, weight: taps, bias: bias,
      direction: direction)
    scan = SelectiveScan(
      builder, configuration, name: name, decay: decay, skip: skip, direction: direction)
    output = builder.signal(name, columns: hidden)
    builder.add(self)
  }

  func prepareWeights() {
    convolution.prepareWeights()
    scan.prepareWeights()
  }

  func forward(_ chunk: Chunk) {
    let (rows, products) = (chunk.rows, context.products)
    let (mixed, values, selection) = (mixed.prefix(rows), values.prefix(rows), selection.prefix(rows))
    products.forward(input.value.prefix(rows), inProjection.weights, into: mixed)
    convolution.forward(chunk, mixed.columns(0..<values.columns), into: values)
    st_silu_forward(values.count, values.base, values.base)
    products.forward(values, readProjection.weights, into: selection)
    context.affine(
      selection.columns(0..<rank), stepProjection.weights, stepBias.weights.base, into: logits.prefix(rows))
    scan.forward(chunk, arrays)
    products.forward(gated.prefix(rows), outProjection.weights, into: output.value.prefix(rows))
  }

  func backward(_ chunk: Chunk) {
    let (rows, steps) = (chunk.rows, chunk.steps)
    let (gradients, products, dy) = (context.gradients, context.products, output.gradient.prefix(rows))
    let (mixed, values, selection) = (mixed.prefix(rows), values.prefix(rows), selection.prefix(rows))
    let (logits, gated, dt) = (logits.prefix(rows), gated.prefix(rows), selection.columns(0..<rank))
    gradients.addProduct(dy, gated, steps: steps, to: outProjection.gradient)
    products.inputGradient(dy, outProjection.weights, into: gated)
    scan.backward(chunk, arrays)
    gradients.addProduct(logits, dt, steps: steps, to: stepProjection.gradient)
    gradients.addColumnSums(logits, steps: steps, to: stepBias.gradient)
    products.inputGradient(logits, stepProjection.weights, into: dt)
    gradients.addProduct(selection, values, steps: steps, to: readProjection.gradient)
    products.inputGradient(selection, readProjection.weights, into: gated, accumulate: true)
    backwardConvolution(chunk, mixed.columns(0..<values.columns), gradient: gated, scratch: logits)
    gradients.addProduct(mixed, input.value.prefix(rows), steps: steps, to: inProjection.gradient)
    sink?.write(mixed, times: inProjection.weights, rows: 0..<rows, products)
  }

  /// From the gradient of v, which becomes that of what SiLU has read, to that of u, in its place.
  private func backwardConvolution(_ chunk: Chunk, _ u: Matrix, gradient: Matrix, scratch: Matrix) {
    convolution.convolve(chunk, u, into: scratch)
    st_silu_backward(gradient.count, scratch.base, gradient.base, gradient.base)
    convolution.addWeightGradients(chunk, gradient, u)
    convolution.backward(chunk, gradient, into: u)
  }

  private var arrays: SelectiveScan.Arrays {
    SelectiveScan.Arrays(
      values: values, logits: logits, gates: mixed.columns(values.columns..<mixed.columns), gated: gated,
      matrices: selection.columns(rank..<selection.columns))
  }
}

extension MambaLayer: ReversibleLayer {
  typealias Options = MambaOptions
  static let name = "mamba"
  static let obstacleToTimeBlocks: String? = nil

  static func window(_ configuration: ModelConfiguration) -> (setting: String, inputs: Int)? {
    ("kernel", configuration[MambaOptions.self].kernel)
  }

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput,
    direction: Direction
  ) -> Signal {
    MambaLayer(
      builder, configuration, layer: index, reading: input.signal(builder), direction: direction
    ).output
  }
}
