import Chunks
import Preconditions

/// Layers above each other: stem -> (layer -> (norm) -> (dropout between layers)) x L -> head, or with residual blocks
///
///     x <- x + layer(norm(x))     x <- x + mlp(norm(x))
///
/// where dropout falls on what is added, and the head reads norm(x) (Xiong et al. 2020). GELU and a gated linear unit follow
/// layers that are linear. A perceptron may stand before the head.
///
/// The stem of tokens is their embedding, that of frames a linear map of the same width. The first layers' parameters are
/// named as those of a `torch.nn` module with `embedding = Embedding`, `rnn = LSTM | GRU | RNN`, `head = Linear`.
struct Stack: ModelFamily {
  private let configuration: ModelConfiguration

  init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  func build(_ builder: Builder) -> Head {
    let input = stem(builder)
    var x = configuration.residual ? blocks(builder, reading: input) : layers(builder, reading: input)
    x = Dropout.add(
      to: builder, name: "output_dropout", reading: x,
      probability: configuration.variationalDropout.output, isVariational: true)
    for index in 0..<configuration.outputLayers {
      x = MLPLayer.add(to: builder, configuration, name: "output.\(index)", reading: x)
    }
    return head(builder, reading: x)
  }

  private func layers(_ builder: Builder, reading input: LayerInput) -> Signal {
    var input = input
    for index in 0..<configuration.layers {
      var output = layer(index, builder, reading: input)
      if configuration.layerNorm {
        output = LayerNorm(builder, name: "norm.\(index)", reading: output).output
      }
      if index + 1 < configuration.layers { output = dropped(output, builder, name: "dropout.\(index)") }
      input = .signal(output)
    }
    return input.signal(builder)
  }

  private func blocks(_ builder: Builder, reading input: LayerInput) -> Signal {
    var x = input.signal(builder)
    for index in 0..<configuration.layers {
      var y = layer(index, builder, reading: .signal(normalized(x, builder, name: "norm.\(index)")))
      if configuration.cell[index].isLinear { y = gated(index, builder, reading: y) }
      x = Sum(builder, name: "block.\(index)", x, dropped(y, builder, name: "dropout.\(index)")).output
      guard configuration.mlp > 0 else { continue }
      let z = perceptron(index, builder, reading: normalized(x, builder, name: "mlp_norm.\(index)"))
      x =
        Sum(builder, name: "mlp_block.\(index)", x, dropped(z, builder, name: "mlp_dropout.\(index)")).output
    }
    return normalized(x, builder, name: "final_norm")
  }

  /// u sigmoid(v) with [u, v] = glu gelu(x).
  private func gated(_ index: Int, _ builder: Builder, reading x: Signal) -> Signal {
    let z = Gelu(builder, name: "glu_gelu.\(index)", reading: x).output
    let initializer = Initializer.uniform(bound: 1 / Double(x.value.columns).squareRoot())
    let halves = Linear(
      builder, name: "glu.\(index)", reading: z, outputs: 2 * x.value.columns, initializer: initializer,
      bias: initializer)
    return GatedUnit(builder, name: "gated.\(index)", reading: halves.output, by: .sigmoid).output
  }

  /// down(gelu(up x)), or down(silu(u) v) with u, v the halves of up x.
  private func perceptron(_ index: Int, _ builder: Builder, reading x: Signal) -> Signal {
    let (width, isGated) = (x.value.columns, configuration.mlpKind == .gated)
    let units = configuration.mlp * width
    let up = linear("up.\(index)", builder, reading: x, outputs: isGated ? 2 * units : units)
    let inner =
      isGated
      ? GatedUnit(builder, name: "gate.\(index)", reading: up, by: .silu).output
      : Gelu(builder, name: "gelu.\(index)", reading: up).output
    return linear(
      "down.\(index)", builder, reading: inner, outputs: width, factor: configuration.writerFactor)
  }

  private func linear(
    _ name: String, _ builder: Builder, reading x: Signal, outputs: Int, factor: Double = 1
  ) -> Signal {
    let initializer = Initializer.weights(
      configuration.initialization.input, outputs: outputs, inputs: x.value.columns, blocks: 1,
      hidden: configuration.hidden)
    return Linear(
      builder, name: name, reading: x, outputs: outputs, initializer: initializer.scaled(by: factor)
    ).output
  }

  private func normalized(_ x: Signal, _ builder: Builder, name: String) -> Signal {
    switch configuration.norm {
    case .none: x
    case .layer: LayerNorm(builder, name: name, reading: x).output
    case .rms: RMSNorm(builder, name: name, reading: x).output
    }
  }

  private func dropped(_ x: Signal, _ builder: Builder, name: String) -> Signal {
    Dropout.add(to: builder, name: name, reading: x, probability: configuration.dropout)
  }

  /// What layer `index` reads of `input`, with one mask a lane and chunk.
  private func masked(_ input: LayerInput, _ builder: Builder, index: Int) -> LayerInput {
    guard builder.dropoutSeed != nil, configuration.variationalDropout.input > 0 else { return input }
    return .signal(
      Dropout.add(
        to: builder, name: "input_dropout.\(index)", reading: input.signal(builder),
        probability: configuration.variationalDropout.input, isVariational: true))
  }

  /// Layer `index`, in both directions beside each other where the model is bidirectional.
  private func layer(_ index: Int, _ builder: Builder, reading input: LayerInput) -> Signal {
    let kind = configuration.cell[index]
    let input = masked(input, builder, index: index)
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
      return .signal(linear("stem", builder, reading: input, outputs: configuration.embedding))
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
