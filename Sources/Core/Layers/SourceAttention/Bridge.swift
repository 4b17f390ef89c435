import CKernels
import Chunks

/// A decoder's first state from an encoder's last: y = tanh(x weight^T + bias), a row for each lane.
final class Bridge: Module {
  /// [B, outputs]
  let output: Signal

  private let context: ModuleContext
  private let input: Signal
  private let sink: Sink?
  private let weight: ParameterView
  private let bias: ParameterView

  /// Reads `input` [B, C] by the parameters `name`.weight [outputs, C] and `name`.bias [outputs].
  init(_ builder: Builder, name: String, reading input: Signal, outputs: Int, initializer: Initializer) {
    let (lanes, columns) = (builder.shape.lanes, input.value.columns)
    context = builder.context
    self.input = input
    weight = builder.parameter("\(name).weight", [outputs, columns], initializer)
    bias = builder.parameter("\(name).bias", [outputs], .constant(0))
    sink = builder.read(input)
    context.products.reserve(rows: context.shape.lanesPerShard, outputs: outputs, inputs: columns)
    output = builder.signal(name, value: builder.floats(lanes, outputs))
    builder.add(self)
  }

  func forward(_ chunk: Chunk) {
    context.affine(input.value, weight.weights, bias.weights.base, into: output.value)
    st_tanh_forward(output.value.count, output.value.base, output.value.base)
  }

  func backward(_ chunk: Chunk) {
    let dy = output.gradient
    st_tanh_backward(dy.count, output.value.base, dy.base, dy.base)
    context.gradients.addProduct(dy, input.value, steps: 1, to: weight.gradient)
    context.gradients.addColumnSums(dy, steps: 1, to: bias.gradient)
    sink?.write(dy, times: weight.weights, rows: 0..<dy.rows, context.products)
  }
}
