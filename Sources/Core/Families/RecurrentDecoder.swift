import Chunks
import Preconditions

/// The decoder of recurrent layers (Cho et al. 2014; Sutskever et al. 2014), which attends to the source (Bahdanau et al. 2015;
/// Luong et al. 2015):
///
///     source -> stem -> encoder's layers, h_s at each position, and their last state at the source's end
///     the decoder's first state: every part tanh(bridge(the encoder's last state))
///     target -> stem -> decoder's layers, s_u at each step
///     o_u = tanh(W [c_u, s_u] + b) -> head     c_u what attention reads of h for s_u, or for s_{u-1} before the step
///
/// All layers begin with the last state of the encoder's last layer, each by bridges of its own, `bridge.N`, counted layer by
/// layer and state by state; c with its c, or with h where it has none. Where the decoder attends before its steps, its first
/// layer does (Wu et al. 2016), and the others read its outputs.
///
/// Parameters are called `bridge.N`, `decoder.`, `attention.` and `combine`.
struct RecurrentDecoder {
  /// What a decoder reads of an encoder.
  struct Source {
    fileprivate let encoded: EncodedSource
    fileprivate let firstStates: [[String: Signal]]
  }

  private let configuration: ModelConfiguration

  init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  /// The letters of all of its states.
  var letters: Set<String> { Set((0..<configuration.layers).flatMap { cell($0).letters }) }

  /// Adds what runs over the sources, behind the encoder.
  ///
  /// - Parameters:
  ///   - memory: h_s of each position. [S B, M]
  ///   - last: What the encoder has of each letter at the sources' ends. [B, M]
  func prepare(_ builder: Builder, memory: Signal, last: [String: Signal]) -> Source {
    guard let h = last["h"] else { preconditionFailure("all states have an h") }
    let options = configuration.sourceAttention
    let encoded = EncodedSource(
      options: options, memory: memory, keys: keys(builder, options.score, memory), last: h)
    return Source(encoded: encoded, firstStates: bridges(builder, last))
  }

  /// Adds the decoder; returns o_u. [U B, M]
  func build(_ builder: Builder, reading input: LayerInput, _ source: Source) -> Signal {
    let (state, context) = builder.within("decoder") {
      decode(builder, reading: input, source.encoded, source.firstStates)
    }
    let read = context ?? SourceReading(builder, reading: source.encoded, by: state).context
    let both = Concatenation(builder, name: "read", reading: [read, state]).output
    let combined = Stack(configuration).linear(
      "combine", builder, reading: both, outputs: state.value.columns)
    return Pointwise(builder, .tanh, name: "combine.tanh", reading: combined).output
  }

  /// The kind of a layer.
  private func cell(_ index: Int) -> any RecurrentCell.Type {
    guard let cell = configuration.decoderCell[index] as? any RecurrentCell.Type else {
      preconditionFailure("the layers of a recurrent decoder are recurrent")
    }
    return cell
  }

  /// What scores compare queries with.
  private func keys(_ builder: Builder, _ score: AttentionScoreKind, _ memory: Signal) -> Signal {
    func map(_ name: String) -> Signal {
      Stack(configuration).linear(
        name, builder, reading: memory, outputs: memory.value.columns, bias: nil)
    }
    return switch score {
    case .none, .dot, .scaled: memory
    case .general: map("attention.weight")
    case .additive: map("attention.key")
    case .cosine: UnitRows(builder, name: "attention.unit", reading: memory).output
    }
  }

  /// The first states of each layer, by letter.
  private func bridges(_ builder: Builder, _ last: [String: Signal]) -> [[String: Signal]] {
    var count = 0
    return (0..<configuration.layers).map { index in
      var states: [String: Signal] = [:]
      for letter in cell(index).letters {
        guard let input = last[letter] else { preconditionFailure("the encoder has a state for each letter") }
        let width = input.value.columns
        states[letter] =
          Bridge(
            builder, name: "bridge.\(count)", reading: input, outputs: width,
            initializer: .weights(
              configuration.initialization.input, outputs: width, inputs: width, blocks: 1,
              hidden: configuration.hidden)
          ).output
        count += 1
      }
      return states
    }
  }

  /// The layers; returns the states s_u of the last, and the contexts where the first attends before its steps.
  private func decode(
    _ builder: Builder, reading input: LayerInput, _ source: EncodedSource, _ firstStates: [[String: Signal]]
  ) -> (state: Signal, context: Signal?) {
    let decoder = configuration.ofDecoder(width: source.memory.value.columns)
    var context: Signal?
    let stack = Stack(decoder) { index, builder, input, direction in
      let attends = index == 0 && source.options.attend == .before
      let outputs = cell(index).addLayer(
        to: builder, decoder, layer: index,
        reading: attends ? .attentive(input.signal(builder), source) : input, direction: direction,
        links: RecurrentLinks(initial: firstStates[index]))
      if attends { context = outputs.context }
      return outputs.states[0]
    }
    return (stack.body(builder, reading: input), context)
  }
}
