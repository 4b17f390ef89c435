import Chunks

/// A layer of a perceptron, without memory: y = gelu(x weight^T + bias).
enum MLPLayer: LayerKind {
  static let name = "mlp"
  static let obstacleToTimeBlocks: String? = nil

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal {
    add(to: builder, configuration, name: "mlp.\(index)", reading: input.signal(builder))
  }

  /// One with the parameters `name`.weight [H, C] and `name`.bias [H].
  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, name: String, reading input: Signal
  ) -> Signal {
    let initializer = Initializer.weights(
      configuration.initialization.input, outputs: configuration.hidden, inputs: input.value.columns,
      blocks: 1, hidden: configuration.hidden)
    let linear = Linear(
      builder, name: name, reading: input, outputs: configuration.hidden, initializer: initializer)
    return Pointwise(builder, .gelu, name: "\(name).gelu", reading: linear.output).output
  }
}
