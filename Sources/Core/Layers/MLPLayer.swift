import Chunks

/// A layer of a perceptron, without memory: y = gelu(x weight^T + bias).
enum MLPLayer: LayerKind {
  static let name = "mlp"

  static func add(
    to builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: LayerInput
  ) -> Signal {
    let linear = Linear(
      builder, name: "mlp.\(index)", reading: input.signal(builder), outputs: configuration.hidden,
      initializer: .weights(
        configuration.initialization.input, outputs: configuration.hidden, inputs: input.width, blocks: 1,
        hidden: configuration.hidden))
    return Gelu(builder, name: "mlp.\(index).gelu", reading: linear.output).output
  }
}
