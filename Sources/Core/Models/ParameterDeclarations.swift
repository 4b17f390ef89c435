/// The parameters of a language model, named and shaped as those of a `torch.nn` module with
/// `embedding = Embedding`, `rnn = LSTM | GRU | RNN`, `head = Linear`.
struct ParameterDeclarations {
  /// The parameters in groups, in the order in which the backward pass finishes them: the head, then the layers from
  /// the uppermost down, the embedding with the lowest.
  let pieces: [[Parameter]]

  /// The index in `pieces` of a recurrent layer's parameters.
  static func piece(ofLayer index: Int, _ configuration: ModelConfiguration) -> Int {
    configuration.layers - index
  }

  init(_ configuration: ModelConfiguration, vocabulary: Int) {
    let rule = configuration.initialization
    let (hidden, width) = (configuration.hidden, configuration.embedding)
    var head = [Parameter("head.bias", [vocabulary], .constant(0))]
    if !configuration.tied {
      let initializer = Initializer.weights(
        rule.input, outputs: vocabulary, inputs: hidden, blocks: 1, hidden: hidden)
      head.insert(Parameter("head.weight", [vocabulary, hidden], initializer), at: 0)
    }
    // Tied weights are the head's too, for which unit variance would be far too much.
    let deviation = configuration.tied ? 1 / Double(width).squareRoot() : 1
    let embedding = Parameter("embedding.weight", [vocabulary, width], .normal(deviation: deviation))
    pieces =
      [head]
      + (0..<configuration.layers).reversed().map { index in
        Self.layer(index, configuration) + (index == 0 ? [embedding] : [])
      }
  }

  private static func layer(_ index: Int, _ configuration: ModelConfiguration) -> [Parameter] {
    let names = RecurrentNames(index: index)
    let rule = configuration.initialization
    let hidden = configuration.hidden
    let inputs = index == 0 ? configuration.embedding : hidden
    let gates = configuration.cell.gateCount
    func weights(_ name: String, _ rule: WeightInitialization, inputs: Int) -> Parameter {
      Parameter(
        name, [gates * hidden, inputs],
        .weights(rule, outputs: hidden, inputs: inputs, blocks: gates, hidden: hidden))
    }
    // The gate that keeps the state is the second of either cell: f of i f g o, z of r z n.
    let keeping = hidden..<2 * hidden
    let inputBias: Initializer =
      configuration.cell == .rnn ? .constant(0) : .constantIn(keeping, Float(rule.forgetBias))
    var parameters = [
      weights(names.weightInput, rule.input, inputs: inputs),
      weights(names.weightRecurrent, rule.recurrent, inputs: hidden),
      Parameter(names.biasInput, [gates * hidden], inputBias),
      Parameter(names.biasRecurrent, [gates * hidden], .constant(0)),
    ]
    if configuration.initialState == .learnt {
      parameters += configuration.cell.stateLetters.map {
        Parameter(names.initial($0), [hidden], .constant(0))
      }
    }
    if configuration.layerNorm {
      parameters.append(Parameter("norm.\(index).weight", [hidden], .constant(1)))
      parameters.append(Parameter("norm.\(index).bias", [hidden], .constant(0)))
    }
    return parameters
  }
}

extension CellKind {
  /// G, the number of gates.
  var gateCount: Int {
    switch self {
    case .rnn: RNNCell.gateCount
    case .lstm: LSTMCell.gateCount
    case .gru: GRUCell.gateCount
    }
  }

  /// The letters of its states.
  var stateLetters: [String] { self == .lstm ? ["h", "c"] : ["h"] }
}
