import CKernels
import Chunks

/// The simple recurrent network (Elman 1990), as `torch.nn.RNN`: h = tanh(x + r), or max(x + r, 0), where x is the
/// projected input with both biases and r = h_prev weight_hh^T. Backward: da = dh (1 - h^2), or dh where h > 0.
final class RNNCell: RecurrentCell {
  static let name = "rnn"
  static let gateCount = 1
  static let keepingGate: Int? = nil

  let gates: Matrix
  let recurrentGradients: [RecurrentGradient]

  private let biasInput: Matrix
  private let biasRecurrent: Matrix
  private let relu: Bool

  init(_ builder: Builder, _ parts: RecurrentParts) {
    biasInput = parts.biasInput.weights
    biasRecurrent = parts.biasRecurrent.weights
    relu = parts.configuration.activation == .relu
    let hidden = parts.configuration.hidden
    gates = builder.floats(builder.shape.rows, hidden)
    recurrentGradients = [RecurrentGradient(gates: gates, rows: 0..<hidden)]
  }

  func writeInputBias(to bias: Matrix) {
    st_add(bias.count, biasInput.base, biasRecurrent.base, bias.base)
  }

  func forward(
    _ t: Int, _ chunk: Chunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix
  ) {
    st_rnn_forward(h.rows, h.columns, x.rows, x.index, recurrent.base, relu, h.base)
  }

  func backward(_ t: Int, _ chunk: Chunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix) {
    st_rnn_backward(h.rows, h.columns, dh.base, h.base, relu, gates.step(t, of: h.rows).base)
  }
}
