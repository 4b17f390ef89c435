import CKernels
import Chunks

/// A causal convolution over time of each channel by itself, in a layer of any kind:
///
///     y_t = bias + sum over j < K of weight[:, j] x_{t-K+1+j}
///
/// Going back in time, x_{t+K-1-j} instead.
final class DepthwiseConvolution {
  private let context: ModuleContext
  private let window: CausalWindow
  private let direction: Direction
  private let weight: ParameterView
  private let bias: ParameterView
  /// The weights as kernels read them. [K, C]
  private let taps: Matrix
  /// Their gradient in that form.
  private let sums: Matrix

  /// A convolution with the state `name`.window and these parameters, of C rows of K columns and of C elements.
  init(
    _ builder: Builder, _ configuration: ModelConfiguration, name: String, width: Int, weight: ParameterView,
    bias: ParameterView, direction: Direction = .forward
  ) {
    let channels = weight.weights.rows
    context = builder.context
    (self.direction, self.weight, self.bias) = (direction, weight, bias)
    window = CausalWindow(
      builder, configuration, name: name, width: width, channels: channels, direction: direction)
    taps = builder.floats(width, channels)
    sums = builder.floats(width, channels)
  }

  /// Call when the weights have changed.
  func prepareWeights() { taps.copy(transposed: weight.weights) }

  /// x, y [T B, C]; rows of x may have gaps.
  func forward(_ chunk: Chunk, _ x: Matrix, into y: Matrix) {
    window.enter(chunk, inputs: x)
    convolve(chunk, x, into: y)
  }

  /// The same again for a chunk that `forward` has gone through.
  func convolve(_ chunk: Chunk, _ x: Matrix, into y: Matrix) {
    let first = direction.firstRow(chunk)
    st_depthwise_forward(
      chunk.steps, chunk.lanes, y.columns, window.width, direction.rowStep(chunk), x[first], x.stride,
      window.entering.base, window.reach.base + first, taps.base, bias.weights.base, y[first])
  }

  /// Adds to the gradients of the parameters.
  func addWeightGradients(_ chunk: Chunk, _ dy: Matrix, _ x: Matrix) {
    context.gradients.addColumnSums(dy, steps: chunk.steps, to: bias.gradient)
    let perShard = context.shape.lanesPerShard
    context.gradients.add(to: weight.gradient) { shard, block, sum in
      let lane = shard * perShard
      let first = direction.firstRow(chunk) + lane
      let transposed = Matrix(sums.base, rows: sum.columns, columns: sum.rows)
      transposed.copy(transposed: sum)
      st_depthwise_weight_gradient(
        block.rows.lowerBound, block.rows.upperBound, chunk.steps, perShard, dy.columns, window.width,
        direction.rowStep(chunk), dy[first], x[first], x.stride, window.entering[lane],
        window.reach.base + first, transposed.base)
      sum.copy(transposed: transposed)
    }
  }

  /// The gradients of the inputs, where they are wanted, and of the window.
  func backward(_ chunk: Chunk, _ dy: Matrix, into dx: Matrix?) {
    let channels = dy.columns
    backward(
      1 - window.width..<0, chunk, dy, into: window.enteringGradient.base, timeStride: channels,
      laneStride: (window.width - 1) * channels)
    window.passGradient()
    if let dx {
      let first = direction.firstRow(chunk)
      backward(
        0..<chunk.steps, chunk, dy, into: dx[first], timeStride: direction.rowStep(chunk) * dx.stride,
        laneStride: dx.stride)
    }
    window.finishGradient()
  }

  /// The gradients of the inputs of those steps.
  private func backward(
    _ steps: Range<Int>, _ chunk: Chunk, _ dy: Matrix, into dx: UnsafeMutablePointer<Float>, timeStride: Int,
    laneStride: Int
  ) {
    let first = direction.firstRow(chunk)
    st_depthwise_backward(
      steps.lowerBound, steps.upperBound, chunk.steps, chunk.lanes, dy.columns, window.width,
      direction.rowStep(chunk), dy[first], window.reach.base + first, taps.base, window.gradient.base, dx,
      timeStride, laneStride)
  }
}
