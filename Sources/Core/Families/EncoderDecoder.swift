import Chunks
import Preconditions

/// An encoder that reads the source of pairs, and a decoder that says the target (Cho et al. 2014; Sutskever et al. 2014) and
/// attends to the source (Bahdanau et al. 2015; Luong et al. 2015):
///
///     source -> stem -> encoder's layers, h_s at each position, and their last state at the source's end
///     the decoder's first state: every part tanh(bridge(the encoder's last state))
///     target -> stem -> decoder's layers, s_u at each step
///     o_u = tanh(W [c_u, s_u] + b) -> head     c_u what attention reads of h for s_u, or for s_{u-1} before the step
///
/// Both have L layers, of `model.cell` and `model.decoder`. All layers of the decoder begin with the last state of the encoder's last layer, each by bridges of
/// its own, `bridge.N`, counted layer by layer and state by state; c with its c, or with h where it has none. Where the
/// decoder attends before its steps, its first layer does (Wu et al. 2016), and the others read its outputs. The decoder is
/// as wide as the encoder's output.
///
/// Parameters are called `source`, `encoder.`, `bridge.N`, `target`, `decoder.`, `attention.`, `combine` and `head`.
struct EncoderDecoder: ModelFamily {
  private let configuration: ModelConfiguration

  init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  func build(_ builder: Builder) -> Head {
    let stack = Stack(configuration)
    let (source, firstStates) = builder.overSource {
      let encoded = encode(builder)
      return (encoded.source, bridges(builder, encoded.last))
    }
    let input = stack.stem(builder, tokens: "target", frames: "target")
    let (state, context) = builder.within("decoder") {
      decode(builder, reading: input, source, firstStates)
    }
    let read = context ?? SourceReading(builder, reading: source, by: state).context
    let both = Concatenation(builder, name: "read", reading: [read, state]).output
    let combined = stack.linear("combine", builder, reading: both, outputs: state.value.columns)
    return stack.head(
      builder, reading: Pointwise(builder, .tanh, name: "combine.tanh", reading: combined).output,
      tiedTo: "target")
  }

  /// The kind of a layer of the decoder.
  private func decoderCell(_ index: Int) -> any RecurrentCell.Type {
    guard let cell = configuration.decoderCell[index] as? any RecurrentCell.Type else {
      preconditionFailure("the layers of a decoder are recurrent")
    }
    return cell
  }

  /// The letters of all states of the decoder.
  private var decoderLetters: Set<String> {
    Set((0..<configuration.layers).flatMap { decoderCell($0).letters })
  }

  /// The encoder; and for each letter of the decoder's states what the encoder has of it at the sources' ends. [B, M]
  private func encode(_ builder: Builder) -> (source: EncodedSource, last: [String: Signal]) {
    var states: [(byLetter: [String: Signal], direction: Direction)] = []
    let stack = Stack(configuration) { index, builder, input, direction in
      guard index + 1 == configuration.layers, let cell = configuration.cell[index] as? any RecurrentCell.Type
      else {
        let output = configuration.cell[index].add(
          to: builder, configuration, layer: index, reading: input, going: direction)
        if index + 1 == configuration.layers { states.append((["h": output], direction)) }
        return output
      }
      let outputs = cell.addLayer(
        to: builder, configuration, layer: index, reading: input, direction: direction,
        links: RecurrentLinks(showsStates: decoderLetters.count > 1))
      states.append((Dictionary(uniqueKeysWithValues: zip(cell.letters, outputs.states)), direction))
      return outputs.states[0]
    }
    let input = stack.stem(builder, tokens: "source", frames: "source")
    let memory = builder.within("encoder") { stack.body(builder, reading: input) }
    var last: [String: Signal] = [:]
    for letter in decoderLetters.sorted().reversed() {
      let shown = states.compactMap { state in state.byLetter[letter].map { ($0, state.direction) } }
      last[letter] =
        shown.isEmpty
        ? last["h"] : LastState(builder, name: "encoder.last_\(letter)", reading: shown).output
    }
    guard let h = last["h"] else { preconditionFailure("all states have an h") }
    let options = configuration.sourceAttention
    return (
      EncodedSource(options: options, memory: memory, keys: keys(builder, options.score, memory), last: h),
      last
    )
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

  /// The first states of each layer of the decoder, by letter.
  private func bridges(_ builder: Builder, _ last: [String: Signal]) -> [[String: Signal]] {
    var count = 0
    return (0..<configuration.layers).map { index in
      var states: [String: Signal] = [:]
      for letter in decoderCell(index).letters {
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

  /// The decoder; returns its states s_u, and the contexts where it attends before its steps.
  private func decode(
    _ builder: Builder, reading input: LayerInput, _ source: EncodedSource, _ firstStates: [[String: Signal]]
  ) -> (state: Signal, context: Signal?) {
    var decoder = configuration
    (decoder.cell, decoder.bidirectional) = (configuration.decoderCell, false)
    decoder.hidden = source.memory.value.columns
    var context: Signal?
    let stack = Stack(decoder) { index, builder, input, direction in
      let attends = index == 0 && source.options.attend == .before
      let outputs = decoderCell(index).addLayer(
        to: builder, decoder, layer: index,
        reading: attends ? .attentive(input.signal(builder), source) : input, direction: direction,
        links: RecurrentLinks(initial: firstStates[index]))
      if attends { context = outputs.context }
      return outputs.states[0]
    }
    return (stack.body(builder, reading: input), context)
  }
}
