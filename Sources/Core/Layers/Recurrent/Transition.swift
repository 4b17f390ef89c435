import CKernels
import Chunks

/// What stands between the previous state of a recurrent layer and its recurrent product: dropout with one mask a chunk
/// (Gal & Ghahramani 2016) and a deep transition (Pascanu et al. 2014):
///
///     z_0 = mask h_prev     z_k = activation(W_k z_{k-1} + b_k)     r = z_L weight_hh^T
///
/// What a cell takes of h_prev other than by the product, as the GRU does, is not changed: the shortcut that Pascanu et al.
/// add to such models.
final class Transition {
  /// What the recurrent product reads. [T B, H]
  let output: Matrix
  /// Before `backward` of a step, the gradient of what it read. [B, H]
  let gradient: Matrix

  private struct Layer {
    let weight: ParameterView
    let bias: ParameterView
    let packedForward: MatrixProducts.Packed
    let packedGradient: MatrixProducts.Packed
    /// [T B, H]
    let output: Matrix
    /// Of the sum that the activation reads. [T B, H]
    let sumGradient: Matrix
  }

  private let context: ModuleContext
  private let layers: [Layer]
  private let mask: DropoutMask?
  /// h_prev, masked. [T B, H]
  private let masked: Matrix?
  private let relu: Bool
  private let product: Matrix
  /// Has every lane read the one row of a bias.
  private let firstRow: Buffer<Int32>

  /// nil where there is neither.
  init?(_ builder: Builder, _ parts: RecurrentParts) {
    let configuration = parts.configuration
    mask = parts.recurrentMask(builder)
    let (shape, hidden) = (builder.shape, configuration.hidden)
    context = builder.context
    relu = configuration.activation == .relu
    masked = mask.map { _ in builder.floats(shape.rows, hidden) }
    layers = (0..<configuration.transitionLayers).map { index in
      Layer(
        weight: parts.parameter("transition_weight_\(index)", builder, inputs: hidden),
        bias: parts.parameter("transition_bias_\(index)", builder, inputs: nil),
        packedForward: builder.packed(outputs: hidden, inputs: hidden, accumulate: false),
        packedGradient: builder.packed(outputs: hidden, inputs: hidden, accumulate: false),
        output: builder.floats(shape.rows, hidden), sumGradient: builder.floats(shape.rows, hidden))
    }
    context.products.reserve(rows: shape.rowsPerShard, outputs: hidden, inputs: hidden)
    guard let output = layers.last?.output ?? masked else { return nil }
    self.output = output
    gradient = builder.floats(shape.lanes, hidden)
    product = builder.floats(shape.lanes, hidden)
    firstRow = Buffer(count: shape.lanes)
  }

  func prepareWeights() {
    for layer in layers {
      context.products.packForward(layer.weight.weights, into: layer.packedForward)
      context.products.packInputGradient(layer.weight.weights, into: layer.packedGradient)
    }
  }

  /// What the recurrent product of step t reads. [B, H]
  func forward(_ t: Int, _ chunk: Chunk, previous: Matrix) -> Matrix {
    var z = previous
    if let mask, let masked {
      z = masked.step(t, of: previous.rows)
      mask.apply(t, chunk, previous, into: z)
    }
    for layer in layers {
      let output = layer.output.step(t, of: z.rows)
      context.products.multiply(z, layer.packedForward, into: product)
      st_rnn_forward(
        z.rows, z.columns, layer.bias.weights.base, firstRow.base, product.base, relu, output.base)
      z = output
    }
    return z
  }

  /// Adds to `dPrevious` what `gradient` is to the previous state; overwrites `gradient`.
  func backward(_ t: Int, _ chunk: Chunk, into dPrevious: Matrix) {
    for layer in layers.reversed() {
      let sum = layer.sumGradient.step(t, of: gradient.rows)
      st_rnn_backward(
        gradient.rows, gradient.columns, gradient.base, layer.output.step(t, of: gradient.rows).base, relu,
        sum.base)
      context.products.multiply(sum, layer.packedGradient, into: gradient)
    }
    mask?.apply(t, chunk, gradient, into: gradient)
    dPrevious.add(gradient)
  }

  /// Adds to the gradients of the weights, from the states before each step of the chunk. [T B, H]
  func addWeightGradients(_ chunk: Chunk, previous: Matrix) {
    var z = masked ?? previous
    for layer in layers {
      let sum = layer.sumGradient.prefix(chunk.rows)
      context.gradients.addProduct(sum, z.prefix(chunk.rows), steps: chunk.steps, to: layer.weight.gradient)
      context.gradients.addColumnSums(sum, steps: chunk.steps, to: layer.bias.gradient)
      z = layer.output
    }
  }
}
