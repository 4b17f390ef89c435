import Chunks
import Preconditions

/// An encoder that reads the source of pairs, and a decoder that says the target and attends to the source. Both have L
/// layers, of `model.cell` and `model.decoder`. The decoder is as wide as the encoder's output.
///
/// Of recurrent layers it is a `RecurrentDecoder`, which begins with the encoder's last state. Of any others, such as
/// attention, it is made of residual blocks, which attend to the source by heads (the Transformer, Vaswani et al. 2017):
///
///     x <- x + layer(norm(x))     x <- x + cross(norm(x))     x <- x + mlp(norm(x))
///
/// Parameters are called `source`, `encoder.`, `target`, `decoder.` and `head`; those of cross attention `decoder.cross.N.`.
struct EncoderDecoder: ModelFamily {
  private let configuration: ModelConfiguration

  init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  func build(_ builder: Builder) -> Head {
    let output = configuration.hasRecurrentDecoder ? recurrentDecoder(builder) : blocks(builder)
    return Stack(configuration).head(builder, reading: output, tiedTo: "target")
  }

  private func recurrentDecoder(_ builder: Builder) -> Signal {
    let decoder = RecurrentDecoder(configuration)
    let source = builder.overSource {
      let encoded = encode(builder, for: decoder.letters)
      return decoder.prepare(builder, memory: encoded.memory, last: encoded.last)
    }
    let input = Stack(configuration).stem(builder, tokens: "target", frames: "target")
    return decoder.build(builder, reading: input, source)
  }

  private func blocks(_ builder: Builder) -> Signal {
    let memory = builder.overSource { encode(builder).memory }
    var decoder = configuration.ofDecoder(width: memory.value.columns)
    // A chunk holds whole targets: nothing is carried.
    if !builder.goesStepByStep && decoder.initialState == .carried { decoder.initialState = .zero }
    let stack = Stack(
      decoder,
      cross: { [decoder] index, builder, input in
        CrossAttention.add(to: builder, decoder, layer: index, reading: input, of: memory)
      })
    let input = stack.stem(builder, tokens: "target", frames: "target")
    return builder.within("decoder") { stack.body(builder, reading: input) }
  }

  /// The encoder; its outputs [S B, M], and for each letter of a recurrent decoder's states what the encoder has of it at the
  /// sources' ends. [B, M]
  private func encode(_ builder: Builder, for letters: Set<String> = []) -> (
    memory: Signal, last: [String: Signal]
  ) {
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
        links: RecurrentLinks(showsStates: letters.count > 1))
      states.append((Dictionary(uniqueKeysWithValues: zip(cell.letters, outputs.states)), direction))
      return outputs.states[0]
    }
    let input = stack.stem(builder, tokens: "source", frames: "source")
    let memory = builder.within("encoder") { stack.body(builder, reading: input) }
    var last: [String: Signal] = [:]
    for letter in letters.sorted().reversed() {
      let shown = states.compactMap { state in state.byLetter[letter].map { ($0, state.direction) } }
      last[letter] =
        shown.isEmpty
        ? last["h"] : LastState(builder, name: "encoder.last_\(letter)", reading: shown).output
    }
    return (memory, last)
  }
}
