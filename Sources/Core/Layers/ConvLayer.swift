import CKernels
import Chunks
import Settings

/// The settings of convolutions.
package struct ConvOptions: LayerOptions {
  /// K, the inputs that an output reads: its own and those before.
  package var width = 4
  /// Whether each channel is filtered by itself; the layer is then as wide as what it reads.
  package var depthwise = false

  package init() {}

  package static let settings: [Setting<ConvOptions>] = [
    Setting(
      "width", \.width, .within(1, 256),
      "Inputs that an output of a conv layer reads: its own and those before"),
    Setting("depthwise", \.depthwise, "Whether conv layers filter each channel by itself"),
  ]
}

/// A causal convolution over time, `torch.nn.Conv1d` padded on the left, with GELU behind it:
///
///     y_t = gelu(bias + sum over j < K of W_j x_{t-K+1+j})        W_j = weight[:, :, j], or diagonal
///
/// What lies before a stream's beginning is zero. The last K - 1 inputs are carried into the next chunk. Forward, each
/// position's inputs are gathered in a row, so that all of a chunk is one product; of channels by themselves,
/// `DepthwiseConvLayer` needs none.
final class ConvLayer: Module, LayerKind {
  typealias Options = ConvOptions
  static let name = "conv"
  static let obstacleToTimeBlocks: String? = nil

  /// What GELU reads. [T B, H]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let weight: ParameterView
  private let bias: ParameterView
  private let window: CausalWindow
  /// Forward, the inputs of each position; backward, their gradient. [T B, C K]
  private let patches: Matrix

  init(_ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: Signal) {
    let (width, channels) = (configuration[ConvOptions.self].width, input.value.columns)
    let (outputs, fan) = (configuration.hidden, channels * width)
    context = builder.context
    self.input = input
    weight = builder.parameter(
      "conv.\(index).weight", [outputs, channels, width],
      .weights(
        configuration.initialization.input, outputs: outputs, inputs: fan, blocks: 1, hidden: fan))
    bias = builder.parameter("conv.\(index).bias", [outputs], .constant(0))
    sink = builder.read(input)
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: outputs, inputs: fan)
    window = CausalWindow(
      builder, configuration, name: "conv.\(index)", width: width, channels: channels)
    patches = builder.floats(builder.shape.rows, fan)
    output = builder.signal("conv.\(index)", columns: outputs)
    builder.add(self)
  }

  static func window(_ configuration: ModelConfiguration) -> (setting: String, inputs: Int)? {
    ("width", configuration[ConvOptions.self].width)
  }

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal {
    let input = input.signal(builder)
    let output =
      configuration[ConvOptions.self].depthwise
      ? DepthwiseConvLayer(builder, configuration, layer: index, reading: input).output
      : ConvLayer(builder, configuration, layer: index, reading: input).output
    return Pointwise(builder, .gelu, name: "conv.\(index).gelu", reading: output).output
  }

  func forward(_ chunk: Chunk) {
    window.enter(chunk, inputs: input.value)
    st_gather_windows(
      chunk.steps, chunk.lanes, window.channels, window.width, input.value.base, window.entering.base,
      window.reach.base, patches.base)
    context.affine(
      patches.prefix(chunk.rows), weight.weights, bias.weights.base, into: output.value.prefix(chunk.rows))
  }

  func backward(_ chunk: Chunk) {
    let (dy, patches) = (output.gradient.prefix(chunk.rows), patches.prefix(chunk.rows))
    context.gradients.addColumnSums(dy, steps: chunk.steps, to: bias.gradient)
    context.gradients.addProduct(dy, patches, steps: chunk.steps, to: weight.gradient)
    context.products.inputGradient(dy, weight.weights, into: patches)
    let (channels, width) = (window.channels, window.width)
    scatter(
      1 - width..<0, chunk, into: window.enteringGradient, timeStride: channels,
      laneStride: (width - 1) * channels)
    window.passGradient()
    sink?.write(rows: chunk.rows) { dx in
      scatter(0..<chunk.steps, chunk, into: dx, timeStride: chunk.lanes * channels, laneStride: channels)
    }
    window.finishGradient()
  }

  /// The gradients of the inputs of those time steps.
  private func scatter(
    _ times: Range<Int>, _ chunk: Chunk, into gradients: Matrix, timeStride: Int, laneStride: Int
  ) {
    st_scatter_windows(
      times.lowerBound, times.upperBound, chunk.steps, chunk.lanes, window.channels, window.width,
      patches.base, window.reach.base, window.gradient.base, gradients.base, timeStride, laneStride)
  }
}
