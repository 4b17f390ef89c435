import CKernels
import Chunks

/// The hyperbolic tangent of a signal.
final class Tanh: Module {
  /// [T B, C]
  let output: Signal

  private let sink: Sink?
  private let input: Signal

  init(_ builder: Builder, name: String, reading input: Signal) {
    self.input = input
    sink = builder.read(input)
    output = builder.signal(name, columns: input.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    st_tanh_forward(chunk.rows * input.value.columns, input.value.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { dx in
      st_tanh_backward(dx.count, output.value.base, output.gradient.base, dx.base)
    }
  }
}
