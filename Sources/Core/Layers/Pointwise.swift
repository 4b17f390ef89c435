import CKernels
import Chunks

/// A function of each number of a signal.
final class Pointwise: Module {
  enum Function {
    /// The Gaussian error linear unit (Hendrycks & Gimpel 2016), as `torch.nn.GELU`: x (1 + erf(x / sqrt(2))) / 2.
    case gelu
    /// The hyperbolic tangent.
    case tanh
  }

  /// [T B, C]
  let output: Signal

  private let function: Function
  private let input: Signal
  private let sink: Sink?

  init(_ builder: Builder, _ function: Function, name: String, reading input: Signal) {
    self.function = function
    self.input = input
    sink = builder.read(input)
    output = builder.signal(name, columns: input.value.columns)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    let (x, y) = (input.value.prefix(chunk.rows), output.value)
    switch function {
    case .gelu: st_gelu_forward(x.count, x.base, y.base)
    case .tanh: st_tanh_forward(x.count, x.base, y.base)
    }
  }

  func backward(_ chunk: Chunk) {
    let (x, y, dy) = (input.value, output.value, output.gradient)
    sink?.write(rows: chunk.rows) { dx in
      switch function {
      case .gelu: st_gelu_backward(dx.count, x.base, dy.base, dx.base)
      case .tanh: st_tanh_backward(dx.count, y.base, dy.base, dx.base)
      }
    }
  }
}
