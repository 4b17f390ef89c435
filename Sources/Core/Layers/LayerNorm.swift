import CKernels
import Chunks

/// Layer normalisation (Ba et al. 2016) with gain and bias, as `torch.nn.LayerNorm`.
final class LayerNorm: Module {
  /// The normalised values. [T B, C]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let gain: ParameterView
  private let bias: ParameterView
  private let normalized: Matrix
  /// [T B, 1]
  private let inverseDeviation: Matrix

  /// Normalises the rows of `input` by the parameters `name`.weight and `name`.bias.
  init(_ builder: Builder, name: String, reading input: Signal) {
    let (rows, columns) = (input.value.rows, input.value.columns)
    self.input = input
    context = builder.context
    gain = builder.parameter("\(name).weight", [columns], .constant(1))
    bias = builder.parameter("\(name).bias", [columns], .constant(0))
    sink = builder.read(input)
    normalized = builder.floats(rows, columns)
    inverseDeviation = builder.floats(rows, 1)
    output = builder.signal(name, columns: columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    st_layer_norm_forward(
      chunk.rows, normalized.columns, input.value.base, gain.weights.base, bias.weights.base, 1e-5,
      normalized.base, inverseDeviation.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    let (dy, normalized) = (output.gradient.prefix(chunk.rows), normalized.prefix(chunk.rows))
    context.gradients.addColumnSums(dy, steps: chunk.steps, to: bias.gradient)
    context.gradients.addColumnProducts(dy, normalized, steps: chunk.steps, to: gain.gradient)
    sink?.write(rows: chunk.rows) { dx in
      st_layer_norm_backward(
        chunk.rows, dx.columns, dy.base, normalized.base, inverseDeviation.base, gain.weights.base, dx.base)
    }
  }
}
