import CKernels
import Chunks

/// The Gaussian error linear unit (Hendrycks & Gimpel 2016), as `torch.nn.GELU`: y = x (1 + erf(x / sqrt(2))) / 2.
final class Gelu: Module {
  /// [T B, C]
  let output: Signal

  private let input: Signal
  private let sink: Sink?

  init(_ builder: Builder, name: String, reading input: Signal) {
    self.input = input
    sink = builder.read(input)
    output = builder.signal(name, columns: input.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    st_gelu_forward(chunk.rows * input.value.columns, input.value.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { dx in
      st_gelu_backward(dx.count, input.value.base, output.gradient.base, dx.base)
    }
  }
}
