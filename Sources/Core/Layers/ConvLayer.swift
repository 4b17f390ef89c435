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
/// position's inputs are gathered in a row, so that all of a chunk is one product.
final class ConvLayer: Module, LayerKind {
  typealias Options = ConvOptions
  static let name = "conv"

  /// What GELU reads, [T B, H], or [T B, C] where it is depthwise.
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let weight: ParameterView
  private let bias: ParameterView
  private let width: Int
  private let isDepthwise: Bool
  private let carries: Bool
  /// How many of the inputs before each position belong to its stream, up to K - 1. [T, B]
  private let reach: Buffer<Int32>
  /// Forward, the inputs of each position; backward, their gradient. [T B, C K]
  private let patches: Matrix
  /// The last inputs of each lane, the oldest first: those before the chunk, and those that leave it. [B, (K-1) C]
  private let entering: Matrix
  private let carried: Matrix
  /// Of what leaves the chunk, and after `backward` of what entered it.
  private let gradient: Matrix
  private let enteringGradient: Matrix

  init(_ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: Signal) {
    let options = configuration[ConvOptions.self]
    let (rows, lanes, channels) = (builder.shape.rows, builder.shape.lanes, input.value.columns)
    let outputs = options.depthwise ? channels : configuration.hidden
    let shape = [outputs, options.depthwise ? 1 : channels, options.width]
    let fan = shape[1] * shape[2]
    context = builder.context
    self.input = input
    width = options.width
    isDepthwise = options.depthwise
    carries = configuration.initialState != .zero
    weight = builder.parameter(
      "conv.\(index).weight", shape,
      .weights(
        configuration.initialization.input, outputs: isDepthwise ? width : outputs, inputs: fan, blocks: 1,
        hidden: fan))
    bias = builder.parameter("conv.\(index).bias", [outputs], .constant(0))
    sink = builder.read(input)
    context.products.reserve(rows: context.shape.rowsPerShard, outputs: outputs, inputs: channels * width)
    reach = Buffer(count: rows)
    patches = builder.floats(rows, channels * width)
    entering = builder.floats(lanes, (width - 1) * channels)
    carried = builder.floats(lanes, (width - 1) * channels)
    gradient = builder.floats(lanes, (width - 1) * channels)
    enteringGradient = builder.floats(lanes, (width - 1) * channels)
    output = builder.signal("conv.\(index)", columns: outputs)
    if width > 1 {
      builder.carry(
        CarriedState(name: "conv.\(index).window", values: carried, entering: entering, gradient: gradient))
    }
    builder.add(self)
  }

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal {
    let layer = ConvLayer(builder, configuration, layer: index, reading: input.signal(builder))
    return Gelu(builder, name: "conv.\(index).gelu", reading: layer.output).output
  }

  func forward(_ chunk: Chunk) {
    if carries { entering.copy(from: carried) } else { entering.clear() }
    measureReach(chunk)
    st_gather_windows(
      chunk.steps, chunk.lanes, input.value.columns, width, input.value.base, entering.base, reach.base,
      patches.base)
    carryWindow(chunk)
    let y = output.value.prefix(chunk.rows)
    if isDepthwise {
      st_depthwise_forward(
        y.rows, y.columns, width, patches.base, weight.weights.base, bias.weights.base, y.base)
    } else {
      context.affine(patches.prefix(y.rows), weight.weights, bias.weights.base, into: y)
    }
  }

  func backward(_ chunk: Chunk) {
    let (dy, patches) = (output.gradient.prefix(chunk.rows), patches.prefix(chunk.rows))
    context.gradients.addColumnSums(dy, steps: chunk.steps, to: bias.gradient)
    if isDepthwise {
      addDepthwiseGradient(dy, chunk)
      st_depthwise_backward(dy.rows, dy.columns, width, dy.base, weight.weights.base, patches.base)
    } else {
      context.gradients.addProduct(dy, patches, steps: chunk.steps, to: weight.gradient)
      context.products.inputGradient(dy, weight.weights, into: patches)
    }
    let channels = input.value.columns
    sink?.write(rows: chunk.rows) { dx in
      scatter(0..<chunk.steps, chunk, into: dx, timeStride: chunk.lanes * channels, laneStride: channels)
    }
    scatter(
      1 - width..<0, chunk, into: enteringGradient, timeStride: channels, laneStride: (width - 1) * channels)
    gradient.copy(from: enteringGradient)
  }

  /// The gradients of the inputs of those time steps.
  private func scatter(
    _ times: Range<Int>, _ chunk: Chunk, into gradients: Matrix, timeStride: Int, laneStride: Int
  ) {
    st_scatter_windows(
      times.lowerBound, times.upperBound, chunk.steps, chunk.lanes, input.value.columns, width, patches.base,
      reach.base, gradient.base, gradients.base, timeStride, laneStride)
  }

  private func addDepthwiseGradient(_ dy: Matrix, _ chunk: Chunk) {
    context.gradients.add(to: weight.gradient) { shard, block, sum in
      let rows = context.shape.shardRows(shard, steps: chunk.steps)
      let first = block.rows.lowerBound
      st_depthwise_weight_gradient(
        sum.rows, sum.columns, width, rows.count, rows.lanes, rows.stride, dy[rows.first] + first, dy.stride,
        patches[rows.first] + first * width + block.columns.lowerBound, patches.stride, sum.base, sum.stride)
    }
  }

  private func measureReach(_ chunk: Chunk) {
    for lane in 0..<chunk.lanes {
      var count = width - 1
      for t in 0..<chunk.steps {
        count = chunk.isReset(t, lane: lane) ? 0 : min(count + 1, width - 1)
        reach.base[t * chunk.lanes + lane] = Int32(count)
      }
    }
  }

  /// Keeps each lane's last inputs, zero where they are of an earlier stream.
  private func carryWindow(_ chunk: Chunk) {
    let channels = input.value.columns
    for lane in 0..<chunk.lanes {
      let known = Int(reach.base[(chunk.steps - 1) * chunk.lanes + lane])
      for back in 1..<width {
        let to = carried[lane] + (width - 1 - back) * channels
        if back - 1 > known {
          to.update(repeating: 0, count: channels)
        } else if back <= chunk.steps {
          to.update(from: input.value[(chunk.steps - back) * chunk.lanes + lane], count: channels)
        } else {
          to.update(from: entering[lane] + (width - 1 - back + chunk.steps) * channels, count: channels)
        }
      }
    }
  }
}
