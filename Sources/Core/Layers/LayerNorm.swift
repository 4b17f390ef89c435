import CKernels

/// Layer normalisation (Ba et al. 2016) with gain and bias, as `torch.nn.LayerNorm`.
final class LayerNorm: Layer {
  /// The normalised values [T B, C]; their gradient.
  let output: Signal

  private let context: LayerContext
  private let input: Signal
  private let gain: ParameterView
  private let bias: ParameterView
  private let floats: Buffer<Float>
  private let normalized: Matrix
  private let inverseDeviation: UnsafeMutablePointer<Float>

  /// Normalises the rows of `input` by the parameters `name`.weight and `name`.bias.
  init(_ context: LayerContext, name: String, input: Signal, outputGradient: Matrix) {
    let (rows, columns) = (input.value.rows, input.value.columns)
    self.context = context
    gain = context.gradients.parameter("\(name).weight")
    bias = context.gradients.parameter("\(name).bias")
    self.input = input
    floats = Buffer(count: rows * (2 * columns + 1))
    output = Signal(value: floats.matrix(rows: rows, columns: columns), gradient: outputGradient)
    normalized = Matrix(floats.base + rows * columns, rows: rows, columns: columns)
    inverseDeviation = floats.base + 2 * rows * columns
  }

  func forward(_ chunk: TokenChunk) {
    st_layer_norm_forward(
      normalized.rows, normalized.columns, input.value.base, gain.weights.base,
      bias.weights.base, 1e-5, normalized.base, inverseDeviation, output.value.base)
  }

  func backward(_ chunk: TokenChunk) {
    context.gradients.addColumnSums(output.gradient, to: bias.gradient)
    context.gradients.addColumnProducts(output.gradient, normalized, to: gain.gradient)
    st_layer_norm_backward(
      normalized.rows, normalized.columns, output.gradient.base, normalized.base, inverseDeviation,
      gain.weights.base, input.gradient.base)
  }
}
