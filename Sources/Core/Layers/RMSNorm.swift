import CKernels
import Chunks

/// Normalisation by the root of the mean square (Zhang & Sennrich 2019), as `torch.nn.RMSNorm` with eps 1e-5:
/// y = x / sqrt(mean(x^2) + 1e-5) * gain.
final class RMSNorm: Module {
  /// [T B, C]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let gain: ParameterView
  private let normalized: Matrix
  /// [T B, 1]
  private let inverseRoot: Matrix

  /// Normalises the rows of `input` by the parameter `name`.weight.
  init(_ builder: Builder, name: String, reading input: Signal) {
    let (rows, columns) = (input.value.rows, input.value.columns)
    self.input = input
    context = builder.context
    gain = builder.parameter("\(name).weight", [columns], .constant(1))
    sink = builder.read(input)
    normalized = builder.floats(rows, columns)
    inverseRoot = builder.floats(rows, 1)
    output = builder.signal(name, columns: columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    st_rms_norm_forward(
      chunk.rows, normalized.columns, input.value.base, gain.weights.base, 1e-5, normalized.base,
      inverseRoot.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    let (dy, normalized) = (output.gradient.prefix(chunk.rows), normalized.prefix(chunk.rows))
    context.gradients.addColumnProducts(dy, normalized, steps: chunk.steps, to: gain.gradient)
    sink?.write(rows: chunk.rows) { dx in
      st_rms_norm_backward(
        chunk.rows, dx.columns, dy.base, normalized.base, inverseRoot.base, gain.weights.base, dx.base)
    }
  }
}
