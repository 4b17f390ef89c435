import Core

/// A layer of a model for one lane, forward only, in Double, by its equations.
struct ReferenceLayer: Sendable {
  /// The number of its states.
  let states: @Sendable (ModelConfiguration) -> Int
  /// The outputs of all steps, from the layer's inputs and the states that enter, which become those that leave.
  let run:
    @Sendable (_ inputs: [Vector], _ chunk: LaneChunk, _ states: inout [Vector], _ context: Context) ->
      [Vector]

  /// What a layer knows of its model.
  struct Context {
    let model: ReferenceModel
    let index: Int
    /// Whether it is the second direction of a layer.
    var isReverse = false
    var configuration: ModelConfiguration { model.configuration }

    /// The end of recurrent parameters' names.
    var suffix: String { "l\(index)" + (isReverse ? "_reverse" : "") }

    subscript(name: String) -> ReferenceParameter { model[name] }
  }
}

/// The weights of a recurrent layer, as its equations use them.
struct RecurrentWeights {
  let input: ReferenceParameter
  let recurrent: ReferenceParameter
  let inputBias: Vector
  let recurrentBias: Vector
  /// The layers between the previous state and the recurrent product.
  let transitions: [(weight: ReferenceParameter, bias: Vector)]
  let activation: @Sendable (Vector) -> Vector
  /// What dropout does to the previous state.
  let mask: Vector

  /// W_ih x + b_ih
  func read(_ x: Vector) -> Vector { input * x + inputBias }
  /// W_hh z + b_hh, z = h or what dropout and the transitions make of it
  func recall(_ h: Vector) -> Vector {
    let z = transitions.reduce(h * mask) { z, layer in activation(layer.weight * z + layer.bias) }
    return recurrent * z + recurrentBias
  }
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

  static let lstm2 = ReferenceCell(states: ["h"]) { x, states, w in
    let a = (w.read(x) + w.recall(states[0])).gates(3)
    return [sigmoid(a[0]) * states[0] + sigmoid(a[1]) * tanh(a[2])]
  }

  static let gru = ReferenceCell(states: ["h"]) { x, states, w in
    let h = states[0]
    let (a, b) = (w.read(x).gates(3), w.recall(h).gates(3))
    let (r, z) = (sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1]))
    let n = tanh(a[2] + r * b[2])
    return [(1 - z) * n + z * h]
  }
}

extension ReferenceCell {
  /// A layer of these cells, in both directions where the model is bidirectional.
  var layer: ReferenceLayer {
    ReferenceLayer.inBothDirections(states: { _ in states.count }, run: run)
  }

  private func run(
    _ inputs: [Vector], _ chunk: LaneChunk, _ state: inout [Vector], _ context: ReferenceLayer.Context
  ) -> [Vector] {
    let w = RecurrentWeights(context, chunk)
    return inputs.indices.map { t in
      if chunk.resets[t] { state = initialStates(context, chunk.initial[t]) }
      state = step(inputs[t], state, w)
      return state[0]
    }
  }

  /// What the states are where a stream begins.
  private func initialStates(_ context: ReferenceLayer.Context, _ conditions: Vector) -> [Vector] {
    states.map {
      if conditions.count > 0 {
        let name = "initial.\($0)_\(context.suffix)"
        return context["\(name).weight"] * conditions + context["\(name).bias"].vector
      }
      return context.configuration.initialState == .learnt
        ? context["rnn.initial_\($0)_\(context.suffix)"].vector : .zero(context.configuration.hidden)
    }
  }
}

extension RecurrentWeights {
  init(_ context: ReferenceLayer.Context, _ chunk: LaneChunk) {
    func parameter(_ name: String) -> ReferenceParameter { context["rnn.\(name)_\(context.suffix)"] }
    let configuration = context.configuration
    input = parameter("weight_ih")
    recurrent = parameter("weight_hh")
    inputBias = parameter("bias_ih").vector
    recurrentBias = parameter("bias_hh").vector
    transitions = (0..<configuration.transitionLayers).map {
      (parameter("transition_weight_\($0)"), parameter("transition_bias_\($0)").vector)
    }
    if configuration.activation == .relu {
      activation = { relu($0) }
    } else {
      activation = { tanh($0) }
    }
    mask = context.model.mask(
      "recurrent_dropout.\(context.suffix)", configuration.variationalDropout.recurrent, .max, chunk,
      configuration.hidden)
  }
}
