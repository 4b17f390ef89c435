import CKernels

/// The simple recurrent network (Elman 1990), as `torch.nn.RNN`: h = tanh(x + r), or max(x + r, 0), where x is the
/// projected input with both biases and r = h_prev weight_hh^T. Backward: da = dh (1 - h^2), or dh where h > 0.
final class RNNCell: RecurrentCell {
  static let gateCount = 1

  let gates: Matrix
  let recurrentGradients: [RecurrentGradient]
  var cellStates: [StateSequence] { [] }

  private let biasInput: Matrix
  private let biasRecurrent: Matrix
  private let activations: Buffer<Float>
  private let relu: Bool

  init(_ context: LayerContext, _ names: RecurrentNames, _ configuration: ModelConfiguration) {
    biasInput = context.memory.view(names.biasInput).weights
    biasRecurrent = context.memory.view(names.biasRecurrent).weights
    relu = configuration.activation == .relu
    activations = Buffer(rows: context.shape.rows, columns: configuration.hidden)
    gates = activations.matrix(rows: context.shape.rows, columns: configuration.hidden)
    recurrentGradients = [RecurrentGradient(gates: gates, rows: 0..<configuration.hidden)]
  }

  func writeInputBias(to bias: Matrix) {
    st_add(bias.count, biasInput.base, biasRecurrent.base, bias.base)
  }

  func forward(
    _ t: Int, _ chunk: TokenChunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix
  ) {
    st_rnn_forward(h.rows, h.columns, x.rows, x.index, recurrent.base, relu, h.base)
  }

  func backward(_ t: Int, _ chunk: TokenChunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix) {
    st_rnn_backward(h.rows, h.columns, dh.base, h.base, relu, gates.step(t, of: h.rows).base)
  }
}
