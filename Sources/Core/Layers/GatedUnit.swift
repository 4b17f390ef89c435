import CKernels
import Chunks

/// A gated linear unit with SiLU (Shazeer 2020): y = silu(u) v, where the input is [u, v].
final class GatedUnit: Module {
  /// [T B, C / 2]
  let output: Signal

  private let input: Signal
  private let sink: Sink?

  init(_ builder: Builder, name: String, reading input: Signal) {
    self.input = input
    sink = builder.read(input)
    output = builder.signal(name, columns: input.value.columns / 2)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    st_gated_silu_forward(chunk.rows, output.value.columns, input.value.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { dx in
      st_gated_silu_backward(
        chunk.rows, output.value.columns, input.value.base, output.gradient.base, dx.base)
    }
  }
}
