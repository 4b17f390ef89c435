import Core
import Testing

/// The weights of a recurrent layer, as its equations use them.
struct RecurrentWeights {
  let input: ReferenceParameter
  let recurrent: ReferenceParameter
  let inputBias: Vector
  let recurrentBias: Vector

  /// W_ih x + b_ih
  func read(_ x: Vector) -> Vector { input * x + inputBias }
  /// W_hh h + b_hh
  func recall(_ h: Vector) -> Vector { recurrent * h + recurrentBias }
}

/// A recurrent cell by its equations, as the documentation of `torch.nn` writes them.
struct ReferenceCell: Sendable {
  /// The letters of the states; the first is the output.
  let states: [String]
  /// The states after a step, from its input and the states before.
  let step: @Sendable (_ x: Vector, _ states: [Vector], _ w: RecurrentWeights) -> [Vector]

  /// h' = activation(W_ih x + b_ih + W_hh h + b_hh)
  static func rnn(_ activation: @escaping @Sendable (Vector) -> Vector) -> ReferenceCell {
    ReferenceCell(states: ["h"]) { x, states, w in
      [activation(w.read(x) + w.recall(states[0]))]
    }
  }

  static let lstm = ReferenceCell(states: ["h", "c"]) { x, states, w in
    let a = (w.read(x) + w.recall(states[0])).gates(4)
    let (i, f, g, o) = (sigmoid(a[0]), sigmoid(a[1]), tanh(a[2]), sigmoid(a[3]))
    let c = f * states[1] + i * g
    return [o * tanh(c), c]
  }

  static let gru = ReferenceCell(states: ["h"]) { x, states, w in
    let h = states[0]
    let (a, b) = (w.read(x).gates(3), w.recall(h).gates(3))
    let (r, z) = (sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1]))
    let n = tanh(a[2] + r * b[2])
    return [(1 - z) * n + z * h]
  }
}

/// A cell of the core beside its equations: what is tested of all cells is tested of each of these.
struct CellUnderTest: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let kind: LayerNames
  var activation = Activation.tanh
  let equations: ReferenceCell
  /// The name of the file in Fixtures, where `torch.nn` has the cell.
  var fixture: String?

  static let all = [
    CellUnderTest(testDescription: "rnn", kind: "rnn", equations: .rnn(tanh), fixture: "rnn"),
    CellUnderTest(
      testDescription: "relu rnn", kind: "rnn", activation: .relu, equations: .rnn(relu), fixture: "relu_rnn"),
    CellUnderTest(testDescription: "lstm", kind: "lstm", equations: .lstm, fixture: "lstm"),
    CellUnderTest(testDescription: "gru", kind: "gru", equations: .gru, fixture: "gru"),
  ]
}
