import CKernels
import Chunks

/// The rows of a signal at length one, as `torch.nn.functional.normalize`: y = x / max(|x|, 1e-12).
final class UnitRows: Module {
  /// [T B, C]
  let output: Signal

  private let input: Signal
  private let sink: Sink?
  /// [T B, 1]
  private let inverseLengths: Matrix

  init(_ builder: Builder, name: String, reading input: Signal) {
    self.input = input
    sink = builder.read(input)
    inverseLengths = builder.floats(input.value.rows, 1)
    output = builder.signal(name, columns: input.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    st_unit_rows_forward(
      chunk.rows, input.value.columns, input.value.base, 1e-12, inverseLengths.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    sink?.write(rows: chunk.rows) { dx in
      st_unit_rows_backward(
        dx.rows, dx.columns, output.gradient.base, output.value.base, inverseLengths.base, dx.base)
    }
  }
}
