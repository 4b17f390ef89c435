import Chunks

/// What a `conv` layer with `model.conv.depthwise` computes, before GELU; as wide as what it reads.
final class DepthwiseConvLayer: Module {
  /// What GELU reads. [T B, C]
  let output: Signal

  private let input: Signal
  private let sink: Sink?
  private let convolution: DepthwiseConvolution

  init(_ builder: Builder, _ configuration: ModelConfiguration, layer index: Int, reading input: Signal) {
    let (width, channels) = (configuration[ConvOptions.self].width, input.value.columns)
    self.input = input
    let weight = builder.parameter(
      "conv.\(index).weight", [channels, 1, width],
      .weights(
        configuration.initialization.input, outputs: width, inputs: width, blocks: 1, hidden: width))
    let bias = builder.parameter("conv.\(index).bias", [channels], .constant(0))
    sink = builder.read(input)
    convolution = DepthwiseConvolution(
      builder, configuration, name: "conv.\(index)", width: width, weight: weight, bias: bias)
    output = builder.signal("conv.\(index)", columns: channels)
    builder.add(self)
  }

  func prepareWeights() { convolution.prepareWeights() }

  func forward(_ chunk: Chunk) {
    convolution.forward(chunk, input.value.prefix(chunk.rows), into: output.value.prefix(chunk.rows))
  }

  func backward(_ chunk: Chunk) {
    let dy = output.gradient.prefix(chunk.rows)
    convolution.addWeightGradients(chunk, dy, input.value.prefix(chunk.rows))
    guard let sink else { return convolution.backward(chunk, dy, into: nil) }
    sink.write(rows: chunk.rows) { convolution.backward(chunk, dy, into: $0) }
  }
}
