/// Puts a model's layers together, from the input up.
struct LayerStack {
  /// The layers, in the order of the forward pass.
  private(set) var layers: [any Layer] = []
  /// For each layer, the piece of the layout that its backward pass finishes, if any.
  private(set) var pieces: [Int?] = []
  /// The output of the uppermost layer.
  private(set) var top: Signal?

  private let context: LayerContext
  private let configuration: ModelConfiguration
  /// A layer's backward pass reads the gradient of its output and writes that of its input: two memories in turn, where
  /// there is more than one layer. Whoever uses the layers keeps it.
  let gradients: Buffer<Float>

  init(_ context: LayerContext, _ configuration: ModelConfiguration) {
    self.context = context
    self.configuration = configuration
    let memories = configuration.layers > 1 || configuration.layerNorm ? 2 : 1
    gradients = Buffer(count: memories * context.shape.rows * configuration.hidden)
  }

  /// Memory for the gradient of the next layer's output.
  private var nextGradient: Matrix {
    let (rows, columns) = (context.shape.rows, configuration.hidden)
    return Matrix(gradients.base + layers.count % 2 * rows * columns, rows: rows, columns: columns)
  }

  private mutating func append(_ layer: any Layer, output: Signal, finishes piece: Int? = nil) {
    layers.append(layer)
    pieces.append(piece)
    top = output
  }

  /// Recurrent layer `index`, upon an embedding of the chunk's tokens or the layer below.
  mutating func appendRecurrent(_ index: Int) {
    let names = RecurrentNames(index: index)
    let projection: any InputProjection =
      if let top {
        DenseProjection(context, weight: names.weightInput, input: top)
      } else {
        TokenProjection(
          context, weight: names.weightInput, embedding: "embedding.weight",
          embeddingIsShared: configuration.tied)
      }
    func appendLayer<Cell: RecurrentCell>(of _: Cell.Type) {
      let layer = RecurrentLayer<Cell>(
        context, names, configuration, projection: projection, outputGradient: nextGradient)
      append(
        layer, output: layer.output, finishes: ParameterDeclarations.piece(ofLayer: index, configuration))
    }
    switch configuration.cell {
    case .rnn: appendLayer(of: RNNCell.self)
    case .lstm: appendLayer(of: LSTMCell.self)
    case .gru: appendLayer(of: GRUCell.self)
    }
  }

  /// Layer normalisation of the output of recurrent layer `index`.
  mutating func appendNorm(_ index: Int) {
    guard let input = top else { return }
    let layer = LayerNorm(context, name: "norm.\(index)", input: input, outputGradient: nextGradient)
    append(layer, output: layer.output)
  }

  /// Dropout of the output of recurrent layer `index`.
  mutating func appendDropout(_ index: Int, seed: UInt64) {
    guard let input = top else { return }
    let layer = Dropout(
      context, input: input, outputGradient: nextGradient, probability: configuration.dropout, seed: seed,
      index: index)
    append(layer, output: layer.output)
  }
}
