import CKernels
import Chunks

/// Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gates (Gers et al. 2000), as `torch.nn.LSTM`:
///
///     i, f, o = sigmoid(x + r)     g = tanh(x + r)     gates in the order i f g o
///     c = f c_prev + i g           h = o tanh(c)
///
/// where x is the projected input with both biases and r = h_prev weight_hh^T. Backward, from dh and dc:
///
///     dc += dh o (1 - tanh(c)^2)   do = dh tanh(c)   di = dc g   dg = dc i   df = dc c_prev   dc_prev = dc f
///
/// each gate's gradient times the derivative of its activation.
final class LSTMCell: RecurrentCell {
  static let name = "lstm"
  static let letters = ["h", "c"]
  static let gateCount = 4
  /// f
  static let keepingGate: Int? = 1

  let gates: Matrix
  let recurrentGradients: [RecurrentGradient]
  var cellStates: [StateSequence] { [c] }

  private let context: ModuleContext
  private let biasInput: Matrix
  private let biasRecurrent: Matrix
  private let c: StateSequence
  private let tanhC: Matrix
  private let hidden: Int

  init(_ builder: Builder, _ parts: RecurrentParts) {
    let (rows, width) = (builder.shape.rows, 4 * parts.configuration.hidden)
    context = builder.context
    biasInput = parts.biasInput.weights
    biasRecurrent = parts.biasRecurrent.weights
    hidden = parts.configuration.hidden
    gates = builder.floats(rows, width)
    tanhC = builder.floats(rows, hidden)
    recurrentGradients = [RecurrentGradient(gates: gates, rows: 0..<width)]
    c = parts.state("c", builder)
  }

  func writeInputBias(to bias: Matrix) {
    st_add(bias.count, biasInput.base, biasRecurrent.base, bias.base)
  }

  func forward(
    _ t: Int, _ chunk: Chunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix
  ) {
    let lanes = context.shape.lanes
    st_lstm_forward(
      lanes, hidden, x.rows, x.index, recurrent.base, c.before(t, chunk).base, gates.step(t, of: lanes).base,
      c.after(t).base, tanhC.step(t, of: lanes).base, h.base)
  }

  func backward(_ t: Int, _ chunk: Chunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix) {
    let lanes = context.shape.lanes
    st_lstm_backward(
      lanes, hidden, dh.base, c.before(t, chunk).base, tanhC.step(t, of: lanes).base,
      gates.step(t, of: lanes).base, c.gradient.base)
    c.cutGradient(at: t, chunk)
  }
}
