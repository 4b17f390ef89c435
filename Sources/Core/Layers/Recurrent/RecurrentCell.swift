import Chunks

/// The equations of a recurrent cell, and their gradients, a step at a time.
protocol RecurrentCell: AnyObject, ReversibleLayer {
  /// G, the number of gates, each H wide.
  static var gateCount: Int { get }
  /// The gate that keeps the state, whose bias begins at `forget_bias`; nil where there is none.
  static var keepingGate: Int? { get }

  /// The letters of its states: `h`, and what it has besides.
  static var letters: [String] { get }

  /// A cell whose layer has the parameters of `parts`.
  init(_ builder: Builder, _ parts: RecurrentParts)

  /// Forward: the activated gates; the input projection may be written here before. After `backward` of a step: the
  /// gradient of its input projection. [T B, G H]
  var gates: Matrix { get }
  /// After `backward` of all steps: the gradients of the recurrent products h_prev weight_hh^T + bias_hh, in parts.
  var recurrentGradients: [RecurrentGradient] { get }
  /// The states that the cell has besides h.
  var cellStates: [StateSequence] { get }

  /// The bias that belongs to the input projection, [G H].
  func writeInputBias(to bias: Matrix)
  /// Step t: `x` holds the projected input, `recurrent` [B, G H] the product of h_prev; writes h.
  func forward(_ t: Int, _ chunk: Chunk, x: ProjectedStep, recurrent: Matrix, previous: Matrix, h: Matrix)
  /// Step t: from dh, the whole gradient of h, to the gradients of the gates; adds to `dPrevious` what reaches
  /// h_prev other than through the recurrent product.
  func backward(_ t: Int, _ chunk: Chunk, dh: Matrix, h: Matrix, previous: Matrix, dPrevious: Matrix)
}

extension RecurrentCell {
  static var letters: [String] { ["h"] }
  static var obstacleToTimeBlocks: String? {
    "its products wait for the state of the step before, so that blocks would take turns"
  }
  var cellStates: [StateSequence] { [] }
}

/// What ties a recurrent layer to others than the one that it reads.
struct RecurrentLinks {
  /// Signals [B, H] that its states begin with, by letter.
  var initial: [String: Signal] = [:]
  /// Whether all its states are signals, not h alone.
  var showsStates = false
}

/// The signals that a recurrent layer makes.
struct RecurrentOutputs {
  /// Its states [T B, H] in the order of `letters`; h alone unless it shows all.
  let states: [Signal]
  /// What its attention reads from the source, if it has one. [T B, M]
  let context: Signal?
}

/// A part of the gradients of a cell's gates, and the rows of weight_hh that it belongs to.
struct RecurrentGradient {
  /// [T B, rows.count]
  let gates: Matrix
  /// The rows of weight_hh and bias_hh.
  let rows: Range<Int>
}

/// What a recurrent layer and its cell share: the parameters, named as those of `torch.nn.LSTM`, `GRU` and `RNN`.
struct RecurrentParts {
  let configuration: ModelConfiguration
  let direction: Direction
  /// [G H, E] and [G H, H]
  let weightInput: ParameterView
  let weightRecurrent: ParameterView
  /// [G H]
  let biasInput: ParameterView
  let biasRecurrent: ParameterView
  private let links: RecurrentLinks
  private let suffix: String

  /// Those of layer `index`, of G gates, which reads `inputs` columns.
  init(
    _ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, direction: Direction,
    inputs: Int,
    gates: Int, keepingGate: Int?, links: RecurrentLinks
  ) {
    let suffix = "l\(index)" + (direction == .forward ? "" : "_reverse")
    let rule = configuration.initialization
    let hidden = configuration.hidden
    func weights(_ name: String, _ rule: WeightInitialization, inputs: Int) -> ParameterView {
      builder.parameter(
        "rnn.\(name)_\(suffix)", [gates * hidden, inputs],
        .weights(rule, outputs: hidden, inputs: inputs, blocks: gates, hidden: hidden))
    }
    func bias(_ name: String, _ initializer: Initializer) -> ParameterView {
      builder.parameter("rnn.\(name)_\(suffix)", [gates * hidden], initializer)
    }
    self.configuration = configuration
    self.direction = direction
    self.suffix = suffix
    self.links = links
    weightInput = weights("weight_ih", rule.input, inputs: inputs)
    weightRecurrent = weights("weight_hh", rule.recurrent, inputs: hidden)
    biasInput = bias(
      "bias_ih",
      keepingGate.map { .constantIn($0 * hidden..<($0 + 1) * hidden, Float(rule.forgetBias)) } ?? .constant(0)
    )
    biasRecurrent = bias("bias_hh", .constant(0))
  }

  /// A parameter of the layer's own, of H outputs: weights of the previous state if it has `inputs`, otherwise a bias.
  func parameter(_ name: String, _ builder: Builder, inputs: Int?) -> ParameterView {
    let hidden = configuration.hidden
    guard let inputs else { return builder.parameter("rnn.\(name)_\(suffix)", [hidden], .constant(0)) }
    return builder.parameter(
      "rnn.\(name)_\(suffix)", [hidden, inputs],
      .weights(
        configuration.initialization.recurrent, outputs: hidden, inputs: inputs, blocks: 1, hidden: hidden))
  }

  /// The mask of the previous state that the recurrent product reads, if it is dropped.
  func recurrentMask(_ builder: Builder) -> DropoutMask? {
    DropoutMask(
      builder, name: "recurrent_dropout.\(suffix)", probability: configuration.variationalDropout.recurrent,
      isVariational: true)
  }

  /// The state of that letter, `h` or `c`. Its first value is the signal that it is linked to; or where the data have initial
  /// conditions, a map of them.
  func state(_ letter: String, _ builder: Builder) -> StateSequence {
    let initial: (any InitialStates)? =
      if let signal = links.initial[letter] {
        InitialSignal(builder, reading: signal)
      } else {
        InitialMap(
          builder, configuration, name: "initial.\(letter)_\(suffix)", hidden: configuration.hidden)
      }
    return StateSequence(
      builder, "rnn.\(letter)_\(suffix)", hidden: configuration.hidden,
      initialState: configuration.initialState, learntName: "rnn.initial_\(letter)_\(suffix)",
      initial: initial, direction: direction)
  }
}
