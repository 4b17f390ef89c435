import Chunks
import Preconditions

/// Layers above each other: stem -> (layer -> (norm) -> (dropout between layers)) x L -> head, or with residual blocks
///
///     x <- x + layer(norm(x))     x <- x + mlp(norm(x))
///
/// where dropout falls on what is added, and the head reads norm(x) (Xiong et al. 2020); or with norms behind the sums
///
///     x <- norm(x + layer(x))     x <- norm(x + mlp(x))
///
/// (Vaswani et al. 2017). GELU and a gated linear unit follow layers that are linear. A perceptron may stand before the head,
/// and a discriminator read what it reads.
///
/// The stem of tokens is their embedding, that of frames a linear map of the same width. The first layers' parameters are
/// named as those of a `torch.nn` module with `embedding = Embedding`, `rnn = LSTM | GRU | RNN`, `head = Linear`.
struct Stack: ModelFamily {
  /// Adds a layer in one direction; returns its output.
  typealias Adding = (_ index: Int, _ builder: Builder, _ input: LayerInput, _ direction: Direction) -> Signal

  /// Adds what a residual block has between its layer and its perceptron; returns what is added to the sum.
  typealias AddingCross = (_ index: Int, _ builder: Builder, _ input: Signal) -> Signal

  private let configuration: ModelConfiguration
  private let add: Adding
  private let addCross: AddingCross?

  /// The layers that a configuration names, each added as its kind is unless `add` is given.
  init(_ configuration: ModelConfiguration, add: Adding? = nil, cross: AddingCross? = nil) {
    self.configuration = configuration
    addCross = cross
    self.add =
      add ?? { index, builder, input, direction in
        configuration.cell[index].add(
          to: builder, configuration, layer: index, reading: input, going: direction)
      }
  }

  func build(_ builder: Builder) -> Head {
    let input = stem(builder, tokens: "embedding", frames: "stem")
    return head(builder, reading: body(builder, reading: input), tiedTo: "embedding")
  }

  /// Adds the layers; returns the output of the last.
  func body(_ builder: Builder, reading input: LayerInput) -> Signal {
    configuration.residual ? blocks(builder, reading: input) : layers(builder, reading: input)
  }

  /// Adds what stands behind the last layer, with the embedding that the head may share its weights with.
  func head(_ builder: Builder, reading input: Signal, tiedTo embedding: String) -> Head {
    var x = Dropout.add(
      to: builder, name: "output_dropout", reading: input,
      probability: configuration.variationalDropout.output, isVariational: true)
    for index in 0..<configuration.outputLayers {
      x = MLPLayer.add(to: builder, configuration, name: "output.\(index)", reading: x)
    }
    if builder.discriminates && configuration.discriminator.hidden > 0 {
      builder.discriminator = Discriminator(builder, configuration, reading: x)
    }
    let objective = configuration.makeObjective(builder)
    guard !configuration.tied else {
      return Head(
        builder, reading: x, objective: objective, weight: "\(embedding).weight",
        initializer: self.embedding(embedding, objective.outputs).initializer)
    }
    let initializer = Initializer.weights(
      configuration.initialization.input, outputs: objective.outputs, inputs: x.value.columns, blocks: 1,
      hidden: configuration.hidden)
    return Head(builder, reading: x, objective: objective, initializer: initializer)
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
      x = sum("", index, builder, x) { x in
        let y = layer(index, builder, reading: .signal(x))
        return configuration.cell[index].isLinear ? gated(index, builder, reading: y) : y
      }
      if let addCross { x = sum("cross_", index, builder, x) { addCross(index, builder, $0) } }
      if configuration.mlp > 0 {
        x = sum("mlp_", index, builder, x) { perceptron(index, builder, reading: $0) }
      }
    }
    return configuration.normFirst ? normalized(x, builder, name: "final_norm") : x
  }

  /// x + part(norm(x)), or norm(x + part(x)).
  private func sum(
    _ prefix: String, _ index: Int, _ builder: Builder, _ x: Signal, part: (Signal) -> Signal
  ) -> Signal {
    func normalized(_ x: Signal) -> Signal {
      self.normalized(x, builder, name: "\(prefix)norm.\(index)")
    }
    let y = part(configuration.normFirst ? normalized(x) : x)
    let added = dropped(y, builder, name: "\(prefix)dropout.\(index)")
    let sum = Sum(builder, name: "\(prefix)block.\(index)", x, added).output
    return configuration.normFirst ? sum : normalized(sum)
  }

  /// u sigmoid(v) with [u, v] = glu gelu(x).
  private func gated(_ index: Int, _ builder: Builder, reading x: Signal) -> Signal {
    let z = Pointwise(builder, .gelu, name: "glu_gelu.\(index)", reading: x).output
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
      : Pointwise(builder, .gelu, name: "gelu.\(index)", reading: up).output
    return linear(
      "down.\(index)", builder, reading: inner, outputs: width, factor: configuration.writerFactor)
  }

  /// A linear map whose weights begin as those of matrices that read a layer's input.
  func linear(
    _ name: String, _ builder: Builder, reading x: Signal, outputs: Int, factor: Double = 1,
    bias: Initializer? = .constant(0)
  ) -> Signal {
    let initializer = Initializer.weights(
      configuration.initialization.input, outputs: outputs, inputs: x.value.columns, blocks: 1,
      hidden: configuration.hidden)
    return Linear(
      builder, name: name, reading: x, outputs: outputs, initializer: initializer.scaled(by: factor),
      bias: bias
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
    let input = masked(input, builder, index: index)
    let forward = add(index, builder, input, .forward)
    guard configuration.bidirectional, configuration.cell[index] is any ReversibleLayer.Type else {
      return forward
    }
    let reverse = add(index, builder, input, .reverse)
    return Concatenation(builder, name: "directions.\(index)", reading: [forward, reverse]).output
  }

  /// What the first layer reads: tokens by the embedding `tokens`, frames by the linear map `frames`; with positions where
  /// attention needs them.
  func stem(_ builder: Builder, tokens: String, frames: String) -> LayerInput {
    let input: LayerInput =
      switch builder.tracks[.input] {
      case .tokens(let count): .tokens(embedding(tokens, count))
      case .frames(let width):
        .signal(
          linear(
            frames, builder, reading: FrameInput(builder, role: .input, width: width).output,
            outputs: configuration.embedding))
      case nil: preconditionFailure("a stack has an input")
      }
    guard configuration.addsPositions else { return input }
    // Weights that are the head's too begin small; positions would drown them (Vaswani et al. 2017, section 3.4).
    let factor = configuration.tied ? Float(configuration.embedding).squareRoot() : 1
    return .signal(
      Positions(
        builder, name: "\(tokens).positions", reading: input.signal(builder), times: factor,
        carries: configuration.initialState != .zero
      ).output)
  }

  private func embedding(_ name: String, _ count: Int) -> LayerInput.TokenEmbedding {
    // Tied weights are the head's too, for which unit variance would be far too much.
    let deviation = configuration.tied ? 1 / Double(configuration.embedding).squareRoot() : 1
    return LayerInput.TokenEmbedding(
      name: name, count: count, width: configuration.embedding,
      initializer: .normal(deviation: deviation))
  }
}
