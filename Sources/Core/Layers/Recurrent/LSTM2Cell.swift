import CKernels
import Chunks

/// Long short-term memory with two gates, whose state is its output:
///
///     f, i = sigmoid(x + r)     g = tanh(x + r)     gates in the order f i g
///     h = f h_prev + i g
///
/// where x is the projected input with both biases and r = h_prev weight_hh^T. Backward, from dh:
///
///     df = dh h_prev   di = dh g   dg = dh i   dh_prev += dh f
///
/// each gate's gradient times the derivative of its activation.
final class LSTM2Cell: RecurrentCell {
  static let name = "lstm2"
  static let gateCount = 3
  /// f
  static let keepingGate: Int? = 0

  let gates: Matrix
  let recurrentGradients: [RecurrentGradient]

  private let biasInput: Matrix
  private let biasRecurrent: Matrix
  private let lanes: Int

  init(_ builder: Builder, _ parts: RecurrentParts) {
    let width = 3 * parts.configuration.hidden
    biasInput = parts.biasInput.weights
    biasRecurrent = parts.biasRecurrent.weights
    lanes = builder.shape.lanes
    gates = builder.floats(builder.shape.rows, width)
    recurrentGradients = [RecurrentGradient(gates: gates, rows: 0..<width)]
  }

  func writeInputBias(to bias: Matrix) {
    st_add(bias.count, biasInput.base, biasRecurrent.base, bias.base)
  }

  func forward(
    _ t: Int, _ chunk: Chunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix
  ) {
    st_lstm2_forward(
      lanes, h.columns, x.rows, x.index, recurrent.base, previous.base, gates.step(t, of: lanes).base, h.base)
  }

  func backward(_ t: Int, _ chunk: Chunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix) {
    st_lstm2_backward(
      lanes, h.columns, dh.base, previous.base, gates.step(t, of: lanes).base, dPrevious.base)
  }
}
