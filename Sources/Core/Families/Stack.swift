import Chunks
import Preconditions

/// Layers above each other: stem -> (layer -> (norm) -> (dropout between layers)) x L -> head.
///
/// The stem of tokens is their embedding, that of frames a linear map of the same width. The first layers' parameters are
/// named as those of a `torch.nn` module with `embedding = Embedding`, `rnn = LSTM | GRU | RNN`, `head = Linear`.
struct Stack: ModelFamily {
  private let configuration: ModelConfiguration

  init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  func build(_ builder: Builder) -> Head {
    var input = stem(builder)
    for index in 0..<configuration.layers {
      var output = layer(index, builder, reading: input)
      if configuration.layerNorm {
        output = LayerNorm(builder, name: "norm.\(index)", reading: output).output
      }
      if let seed = builder.dropoutSeed, configuration.dropout > 0, index + 1 < configuration.layers {
        output =
          Dropout(
            builder, reading: output, probability: configuration.dropout, seed: seed, index: index
          ).output
      }
      input = .signal(output)
    }
    return head(builder, reading: input.signal(builder))
  }

  /// Layer `index`, in both directions beside each other where the model is bidirectional.
  private func layer(_ index: Int, _ builder: Builder, reading input: LayerInput) -> Signal {
    let kind = configuration.cell[index]
    let forward = kind.add(to: builder, configuration, layer: index, reading: input)
    guard configuration.bidirectional, let kind = kind as? any ReversibleLayer.Type else { return forward }
    let reverse = kind.add(
      to: builder, configuration, layer: index, reading: input, direction: .reverse)
    return Concatenation(builder, name: "directions.\(index)", reading: [forward, reverse]).output
  }

  private func stem(_ builder: Builder) -> LayerInput {
    switch builder.tracks[.input] {
    case .tokens(let count): return .tokens(embedding(count))
    case .frames(let width):
      let input = FrameInput(builder, role: .input, width: width).output
      let initializer = Initializer.weights(
        configuration.initialization.input, outputs: configuration.embedding, inputs: width, blocks: 1,
        hidden: configuration.hidden)
      return .signal(
        Linear(
          builder, name: "stem", reading: input, outputs: configuration.embedding, initializer: initializer
        ).output)
    case nil: preconditionFailure("a stack has an input")
    }
  }

  private func embedding(_ count: Int) -> LayerInput.TokenEmbedding {
    // Tied weights are the head's too, for which unit variance would be far too much.
    let deviation = configuration.tied ? 1 / Double(configuration.embedding).squareRoot() : 1
    return LayerInput.TokenEmbedding(
      name: "embedding", count: count, width: configuration.embedding,
      initializer: .normal(deviation: deviation))
  }

  private func head(_ builder: Builder, reading input: Signal) -> Head {
    let objective = configuration.makeObjective(builder)
    guard !configuration.tied else {
      return Head(
        builder, reading: input, objective: objective, weight: "embedding.weight",
        initializer: embedding(objective.outputs).initializer)
    }
    let initializer = Initializer.weights(
      configuration.initialization.input, outputs: objective.outputs, inputs: input.value.columns, blocks: 1,
      hidden: configuration.hidden)
    return Head(builder, reading: input, objective: objective, initializer: initializer)
  }
}
