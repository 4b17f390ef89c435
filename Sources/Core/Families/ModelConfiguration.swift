import Chunks
import Preconditions
import Settings

/// The activation of the Elman RNN.
package enum Activation: String, Sendable, CaseIterable {
  case tanh, relu
}

/// Where the state of a lane begins.
package enum InitialState: String, Sendable, CaseIterable {
  /// Zero at the start of every chunk: nothing is carried.
  case zero
  /// Zero where a stream begins, carried from chunk to chunk within it.
  case carried
  /// A learnt vector where a stream begins, carried from chunk to chunk within it.
  case learnt
}

/// How what a block reads is normalised.
package enum Norm: String, Sendable, CaseIterable {
  /// Not at all.
  case none
  /// By mean and variance (Ba et al. 2016).
  case layer
  /// By the root of the mean square (Zhang & Sennrich 2019).
  case rms
}

/// What lies between the two maps of a block's perceptron.
package enum PerceptronKind: String, Sendable, CaseIterable {
  /// GELU (Hendrycks & Gimpel 2016).
  case gelu
  /// One half of the units gated by SiLU of the other (Shazeer 2020).
  case gated
}

/// How weight matrices are filled before training.
package enum WeightInitialization: String, Sendable, CaseIterable {
  /// Uniform with variance 2 / (inputs + outputs) (Glorot & Bengio 2010), gate by gate.
  case xavier
  /// Normal with variance 2 / inputs (He et al. 2015).
  case he
  /// An orthogonal matrix for each gate (Saxe et al. 2014).
  case orthogonal
  /// Uniform between -1 and 1 over the square root of the hidden size: what PyTorch does.
  case uniform
}

/// What determines a model's parameters and equations, apart from the vocabulary, which belongs to the data.
package struct ModelConfiguration: Sendable, Equatable {
  /// How the weights are filled.
  package struct Initialization: Sendable, Equatable {
    /// The matrices that read a layer's input, and the head.
    package var input = WeightInitialization.xavier
    /// The matrices that read the previous state.
    package var recurrent = WeightInitialization.orthogonal
    /// The bias of the gate that keeps the state, the LSTM's forget gate and the GRU's update gate (Gers et al. 2000;
    /// Jozefowicz et al. 2015); the other biases begin at zero.
    package var forgetBias = 1.0

    /// The defaults.
    package init() {}
  }

  /// The probabilities of dropout by one mask a lane and chunk (Gal & Ghahramani 2016).
  package struct VariationalDropout: Sendable, Equatable {
    /// Of what each layer reads.
    package var input = 0.0
    /// Of what the last layer says.
    package var output = 0.0
    /// Of the previous state that recurrent products read.
    package var recurrent = 0.0

    /// The defaults.
    package init() {}
  }

  /// The kinds of the layers.
  package var cell: LayerNames = "lstm"
  /// The settings that kinds of layers have of their own.
  var layerOptions = LayerOptionTable()
  /// Of pairs, the kinds of the decoder's layers.
  package var decoder = DecoderLayers.same
  /// How a decoder reads the source of pairs.
  package var sourceAttention = SourceAttentionOptions()
  /// The activation of `rnn`.
  package var activation = Activation.tanh
  /// E, the width of the embedding.
  package var embedding = 128
  /// H, the width of each layer.
  package var hidden = 256
  /// The number of layers.
  package var layers = 2
  /// The layers of the perceptron through which recurrent products read the previous state (Pascanu et al. 2014).
  package var transitionLayers = 0
  /// The layers of the perceptron between the last layer and the head, each `hidden` wide.
  package var outputLayers = 0
  /// Whether each layer has a second direction, from a stream's end to its beginning; the next one reads both (Schuster &
  /// Paliwal 1997).
  package var bidirectional = false
  /// The probability that an output of a layer is dropped before the next layer.
  package var dropout = 0.0
  /// Dropout by one mask a lane and chunk.
  package var variationalDropout = VariationalDropout()
  /// Whether the output of each layer is normalised (Ba et al. 2016).
  package var layerNorm = false
  /// Whether layers are blocks of which each adds to what it reads, which is normalised first (Xiong et al. 2020).
  package var residual = false
  /// How what a block reads is normalised.
  package var norm = Norm.layer
  /// Whether each part of a block reads what is normalised (Xiong et al. 2020), or the sum is normalised behind it (Vaswani
  /// et al. 2017).
  package var normFirst = true
  /// The units of the perceptron behind each block's layer, as a multiple of the block's width; 0 for none.
  package var mlp = 0
  /// What the perceptron is.
  package var mlpKind = PerceptronKind.gelu
  /// Whether the head's weights are the embedding's; the embedding is then as wide as the hidden layers.
  package var tied = false
  /// Where the state of a lane begins.
  package var initialState = InitialState.carried
  /// What the model is trained for.
  package var objective = ObjectiveChoice.auto
  /// The part of a target's weight that training spreads over all tokens.
  package var labelSmoothing = 0.0
  /// What the targets of each token count in training; empty where all count the same.
  package var classWeights: [Double] = []
  /// What tells a model that reads true inputs from one that reads what it draws.
  package var discriminator = DiscriminatorOptions()
  /// How the weights are filled.
  package var initialization = Initialization()

  /// The defaults.
  package init() {}
}

extension Activation: SettingValue {}
extension Norm: SettingValue {}
extension PerceptronKind: SettingValue {}
extension InitialState: SettingValue {}
extension WeightInitialization: SettingValue {}

extension ModelConfiguration {
  /// Its settings, and those of its parts.
  package static let settings =
    own
    + Catalog.layers.flatMap { $0.settings }
    + SourceAttentionOptions.settings.lifted("attention", \.sourceAttention)
    + DiscriminatorOptions.settings.lifted("discriminator", \.discriminator)
    + VariationalDropout.settings.lifted("variational_dropout", \.variationalDropout)
    + Initialization.settings.lifted("initialization", \.initialization)

  private static let own: [Setting<ModelConfiguration>] = [
    Setting(
      "cell", \.cell, "Kind of layer; a list is repeated over the layers",
      synonyms: "celltype rnntype modeltype layertype"),
    Setting(
      "decoder", \.decoder,
      "Of pairs: kind of layer of the decoder; same: those of cell. Others than recurrent ones are residual blocks that "
        + "attend to the source by heads"),
    Setting("activation", \.activation, "Activation of rnn layers"),
    Setting(
      "embedding", \.embedding, .within(1, 65_536), "Width of the embedding",
      synonyms: "embed emb embeddim embdim embsize embedsize embeddingdim embeddingsize ninp inputsize"),
    Setting(
      "hidden", \.hidden, .within(1, 65_536), "Width of each layer",
      synonyms: "hiddensize hiddendim hiddenunits rnnsize nhid nhidden dmodel units width"),
    Setting(
      "layers", \.layers, .within(1, 1024), "Number of layers",
      synonyms: "numlayers nlayers nlayer depth"),
    Setting(
      "transition_layers", \.transitionLayers, .within(0, 64),
      "Layers of a perceptron inside the recurrence, between the previous state and the recurrent product"),
    Setting(
      "output_layers", \.outputLayers, .within(0, 64),
      "Layers of a perceptron between the last layer and the head"),
    Setting(
      "bidirectional", \.bidirectional,
      "Whether each layer reads a stream in both directions (data.mode whole)",
      synonyms: "bidir birnn bilstm"),
    Setting(
      "dropout", \.dropout, .belowOne, "Share of outputs dropped between layers",
      synonyms: "dropoutrate dropoutp pdrop"),
    Setting("layer_norm", \.layerNorm, "Whether the output of each layer is normalised"),
    Setting(
      "residual", \.residual,
      "Whether each layer reads the normalised sum of all before it and adds to it (embedding = hidden)",
      synonyms: "skip skipconnections residuals"),
    Setting("norm", \.norm, "How what a residual block reads is normalised"),
    Setting(
      "norm_first", \.normFirst,
      "Whether residual blocks normalise what their parts read (pre-norm), or each sum behind them (post-norm)",
      synonyms: "prenorm normfirst normalizebefore"),
    Setting(
      "mlp", \.mlp, .within(0, 64),
      "Units of the perceptron in each residual block, as a multiple of its width; 0: none"),
    Setting(
      "mlp_kind", \.mlpKind, "Activation of that perceptron: gelu, or one half gated by SiLU of the other"),
    Setting(
      "tied", \.tied, "Whether the head's weights are the embedding's (embedding = hidden)",
      synonyms: "tieweights tiedweights tie weighttying"),
    Setting(
      "initial_state", \.initialState,
      "State of a lane: zero in every chunk, carried from zero, or carried from a learnt vector"),
    Setting(
      "objective", \.objective,
      "What the model is trained for; auto: cross_entropy for tokens and labels, squared_error for frames, bernoulli "
        + "for binary ones", synonyms: "loss lossfunction lossfn criterion"),
    Setting(
      "label_smoothing", \.labelSmoothing, .belowOne,
      "For cross_entropy: the part of a target's weight that training spreads over all labels",
      synonyms: "labelsmoothing smoothing"),
    Setting(
      "class_weights", \.classWeights,
      "For cross_entropy: what the targets of each label count in training, in the order of labels; []: all the same",
      synonyms: "classweights classweight lossweights"),
  ]
}

extension ModelConfiguration.VariationalDropout {
  /// Its settings.
  package static let settings: [Setting<ModelConfiguration.VariationalDropout>] = [
    Setting(
      "input", \.input, .belowOne, "Share dropped of what each layer reads, the same in all steps of a chunk"),
    Setting(
      "output", \.output, .belowOne,
      "Share dropped of the last layer's outputs, the same in all steps of a chunk"),
    Setting(
      "recurrent", \.recurrent, .belowOne,
      "Share dropped of the previous state that recurrent products read, the same in all steps of a chunk"),
  ]
}

extension ModelConfiguration.Initialization {
  /// Its settings.
  package static let settings: [Setting<ModelConfiguration.Initialization>] = [
    Setting("input", \.input, "How matrices that read a layer's input, and the head, are filled"),
    Setting("recurrent", \.recurrent, "How matrices that read the previous state are filled"),
    Setting(
      "forget_bias", \.forgetBias, .within(-1000, 1000),
      "Bias, at the start, of the gate that keeps the state: lstm's forget gate, gru's update gate"),
  ]
}

extension ModelConfiguration {
  /// Checks its settings against each other.
  ///
  /// - Throws: `ConfigurationError`.
  package func check() throws {
    guard classWeights.allSatisfy({ $0 >= 0 && $0 <= 1e6 }) else {
      throw ConfigurationError("model.class_weights: expected numbers from 0 to 1e6, found \(classWeights)")
    }
    try checkDirections()
    for name in cell.names { try Catalog.layer(name)?.check(self) }
    guard
      transitionLayers == 0 || cell.names.contains(where: { Catalog.layer($0) is any RecurrentCell.Type })
    else {
      throw ConfigurationError(
        "model.transition_layers \(transitionLayers) is for recurrent layers, found model.cell \(cell)")
    }
    if tied { try checkEmbedding("model.tied", width: headWidth) }
    if residual { try checkEmbedding("model.residual", width: layerWidth) }
    guard residual || mlp == 0 else {
      throw ConfigurationError("model.mlp \(mlp) is for model.residual true, found false")
    }
    guard residual || normFirst else {
      throw ConfigurationError("model.norm_first false is for model.residual true, found false")
    }
    guard !residual || !layerNorm else {
      throw ConfigurationError(
        "model.layer_norm normalises the outputs of plain layers; with model.residual set model.norm instead")
    }
    // Far above any machine, and far enough below 2^63 for every product of sizes.
    var stack = self
    (stack.objective, stack.classWeights) = (.auto, [])
    guard Blueprint(stack, tracks: .language(vocabulary: 1)).layout.parameterCount <= 1 << 40 else {
      throw ConfigurationError(
        "model.hidden \(hidden) and model.layers \(layers) make a model of more than \(1 << 40) weights; set one of "
          + "them lower")
    }
    guard activation == .tanh || cell.names.contains(RNNCell.name) else {
      throw ConfigurationError(
        "model.activation \(activation) is for model.cell \(RNNCell.name), found \(cell)")
    }
  }

  /// Checks its settings against the data.
  ///
  /// - Throws: `ConfigurationError`.
  package func check(_ tracks: TrackSet) throws {
    let objective = try objective.objective(for: tracks)
    let others = Catalog.objectives.filter { $0 != objective }.flatMap { other in
      other.settings.map { (key: $0, of: other.name) }
    }
    let unused = ["label_smoothing": labelSmoothing > 0, "class_weights": !classWeights.isEmpty]
    if let other = others.first(where: { unused[$0.key] == true }) {
      throw ConfigurationError(
        "model.\(other.key) is for model.objective \(other.of), found \(objective.name)")
    }
    if case .tokens(let count) = tracks[.target], !classWeights.isEmpty, classWeights.count != count {
      throw ConfigurationError(
        "model.class_weights has \(classWeights.count) numbers; expected \(count), one for each label of the data"
      )
    }
    try checkDecoder(arePairs: tracks.source != nil)
    guard !tied || tracks[.input] == tracks[.target] else {
      throw ConfigurationError(
        "model.tied needs inputs and targets of the same tokens, which the data don't have")
    }
  }

  /// What predictions are judged by, for tracks that `check` has passed.
  package func judgements(for tracks: TrackSet) -> Set<Judgement> {
    guard let objective = try? objective.objective(for: tracks) else {
      preconditionFailure("the objective can use the targets")
    }
    return objective.judgements
  }

  /// The objective, for tracks that `check` has passed.
  func makeObjective(_ builder: Builder) -> any Objective {
    guard let objective = try? objective.objective(for: builder.tracks) else {
      preconditionFailure("the objective can use the targets")
    }
    return objective.init(builder, self)
  }

  private func checkDecoder(arePairs: Bool) throws {
    let defaults = ModelConfiguration()
    func changed(_ settings: (name: String, isDefault: Bool)...) -> String? {
      settings.first { !$0.isDefault }.map { "model.\($0.name)" }
    }
    let reading = changed(
      ("attention.score", sourceAttention.score == defaults.sourceAttention.score),
      ("attention.attend", sourceAttention.attend == defaults.sourceAttention.attend))
    guard arePairs else {
      guard let unused = changed(("decoder", decoder == defaults.decoder)) ?? reading else { return }
      throw ConfigurationError("\(unused) is for pairs, which the data are not; leave it out")
    }
    guard !hasRecurrentDecoder else { return }
    let setting = "model.\(decoder == .same ? "cell" : "decoder") \(decoderCell)"
    let recurrent = Catalog.layers.filter { $0 is any RecurrentCell.Type }.map { $0.name }
    guard residual else {
      throw ConfigurationError(
        "\(setting): a decoder of other layers than \(recurrent.joined(separator: ", ")) is made of residual blocks, "
          + "found model.residual false; set it to true, or model.decoder to one of these")
    }
    if let reading {
      throw ConfigurationError(
        "\(reading) is for decoders of \(recurrent.joined(separator: ", ")), found \(setting), whose blocks attend to "
          + "the source by model.attention.heads; leave it out")
    }
    for name in decoderCell.names + [AttentionLayer.name] {
      try Catalog.layer(name)?.check(ofDecoder(width: layerWidth))
    }
  }

  private func checkDirections() throws {
    let others = Catalog.layers.filter { $0 is any ReversibleLayer.Type || $0 is any TwoWayLayer.Type }
      .map { $0.name }
    guard bidirectional, let oneWay = cell.names.first(where: { !others.contains($0) }) else { return }
    throw ConfigurationError(
      "model.bidirectional is for model.cell \(others.joined(separator: ", ")), found \(oneWay)")
  }

  private func checkEmbedding(_ setting: String, width: Int) throws {
    guard embedding != width else { return }
    throw ConfigurationError(
      "\(setting) needs model.embedding \(embedding) "
        + (width == hidden ? "and model.hidden \(hidden) to be equal" : "to be twice model.hidden, \(width)"))
  }
}

extension ModelConfiguration {
  /// The columns of a layer's output: twice `hidden` where there are two directions beside each other.
  var layerWidth: Int {
    bidirectional && cell.names.contains { Catalog.layer($0) is any ReversibleLayer.Type }
      ? 2 * hidden : hidden
  }

  /// Whether each layer of the decoder is recurrent: it then begins with the encoder's last state.
  package var hasRecurrentDecoder: Bool {
    decoderCell.names.allSatisfy { Catalog.layer($0) is any RecurrentCell.Type }
  }

  /// The decoder by itself, as wide as what it reads of the encoder.
  package func ofDecoder(width: Int) -> ModelConfiguration {
    var configuration = self
    (configuration.cell, configuration.bidirectional, configuration.hidden) = (decoderCell, false, width)
    return configuration
  }

  /// Whether positions are added to what the first layer reads.
  var addsPositions: Bool {
    self[AttentionOptions.self].positions == .sinusoidal && cell.names.contains(AttentionLayer.name)
  }

  /// The kinds of the decoder's layers.
  package var decoderCell: LayerNames {
    switch decoder {
    case .same: cell
    case .named(let names): names
    }
  }

  /// What the first weights are multiplied by of maps that write into the sum of all blocks, which is then as large in deep
  /// stacks as in flat ones (Radford et al. 2019, GPT-2).
  var writerFactor: Double { residual && normFirst ? 1 / Double(layers * (mlp > 0 ? 2 : 1)).squareRoot() : 1 }

  /// The columns that the head reads.
  private var headWidth: Int { outputLayers > 0 ? hidden : layerWidth }

  /// The same model with its state carried from chunk to chunk, for passes in which how streams are cut into chunks should
  /// decide nothing.
  package var carryingState: ModelConfiguration {
    var configuration = self
    if initialState == .zero { configuration.initialState = .carried }
    return configuration
  }

  /// Makes the embedding as wide as what shares its weights or adds to it.
  package mutating func fitEmbedding() {
    if residual {
      embedding = layerWidth
    } else if tied {
      embedding = headWidth
    }
  }
}
