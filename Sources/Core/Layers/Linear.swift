import Chunks

/// A linear map of a signal, as `torch.nn.Linear`: y = x weight^T + bias.
final class Linear: Module {
  /// [T B, outputs]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let weight: ParameterView
  private let bias: ParameterView?

  /// Maps `input` by the parameters `name`.weight [outputs, C] and, unless it is nil, `name`.bias [outputs].
  init(
    _ builder: Builder, name: String, reading input: Signal, outputs: Int, initializer: Initializer,
    bias biasInitializer: Initializer? = .constant(0)
  ) {
    context = builder.context
    self.input = input
    weight = builder.parameter("\(name).weight", [outputs, input.value.columns], initializer)
    bias = biasInitializer.map { builder.parameter("\(name).bias", [outputs], $0) }
    sink = builder.read(input)
    context.products.reserve(
      rows: context.shape.rowsPerShard, outputs: outputs, inputs: input.value.columns)
    output = builder.signal(name, columns: outputs)
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    let (x, y) = (input.value.prefix(chunk.rows), output.value.prefix(chunk.rows))
    if let bias {
      context.affine(x, weight.weights, bias.weights.base, into: y)
    } else {
      context.products.forward(x, weight.weights, into: y)
    }
  }

  func backward(_ chunk: Chunk) {
    let dy = output.gradient.prefix(chunk.rows)
    context.gradients.addProduct(
      dy, input.value.prefix(chunk.rows), steps: chunk.steps, to: weight.gradient)
    if let bias { context.gradients.addColumnSums(dy, steps: chunk.steps, to: bias.gradient) }
    sink?.write(dy, times: weight.weights, rows: 0..<chunk.rows, context.products)
  }
}
