import CKernels
import Chunks

/// The gated recurrent unit (Cho et al. 2014) with the reset gate behind the recurrent product, as `torch.nn.GRU`:
///
///     r, z = sigmoid(x + recurrent)     m = recurrent_n + bias_hn     gates in the order r z n
///     n = tanh(x_n + r m)               h = (1 - z) n + z h_prev
///
/// where x is the projected input with its biases, and the recurrent biases of r and z. Backward, from dh:
///
///     dn = dh (1 - z)   dz = dh (h_prev - n)   da_n = dn (1 - n^2)
///     dr = da_n m       dm = da_n r           dh_prev += dh z
final class GRUCell: RecurrentCell {
  static let name = "gru"
  static let gateCount = 3
  /// z
  static let keepingGate: Int? = 1

  let gates: Matrix
  let recurrentGradients: [RecurrentGradient]

  private let context: ModuleContext
  private let biasInput: Matrix
  private let biasRecurrent: Matrix
  private let m: Matrix
  private let hidden: Int

  init(_ builder: Builder, _ parts: RecurrentParts) {
    let rows = builder.shape.rows
    context = builder.context
    biasInput = parts.biasInput.weights
    biasRecurrent = parts.biasRecurrent.weights
    hidden = parts.configuration.hidden
    gates = builder.floats(rows, 3 * hidden)
    m = builder.floats(rows, hidden)
    recurrentGradients = [
      RecurrentGradient(gates: gates.columns(0..<2 * hidden), rows: 0..<2 * hidden),
      RecurrentGradient(gates: m, rows: 2 * hidden..<3 * hidden),
    ]
  }

  func writeInputBias(to bias: Matrix) {
    bias.copy(from: biasInput)
    st_add(2 * hidden, bias.base, biasRecurrent.base, bias.base)
  }

  func forward(
    _ t: Int, _ chunk: Chunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix
  ) {
    let lanes = context.shape.lanes
    st_gru_forward(
      lanes, hidden, x.rows, x.index, recurrent.base, biasRecurrent.base + 2 * hidden, previous.base,
      gates.step(t, of: lanes).base, m.step(t, of: lanes).base, h.base)
  }

  func backward(_ t: Int, _ chunk: Chunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix) {
    let lanes = context.shape.lanes
    st_gru_backward(
      lanes, hidden, dh.base, previous.base, gates.step(t, of: lanes).base, m.step(t, of: lanes).base,
      dPrevious.base)
  }
}
