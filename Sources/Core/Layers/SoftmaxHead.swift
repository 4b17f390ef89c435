import CKernels
import Preconditions

/// The linear head with softmax cross-entropy: logits = x weight^T + bias, and for each position
/// loss = -weight log softmax(logits)[target], summed by lane in Double.
///
/// Gradients are of the sum of losses: nothing is divided by the number of targets here. With gradients, the head runs
/// its backward pass together with its forward pass, over blocks of time steps, so that the logits of a whole
/// chunk of a large vocabulary never stand in memory at once.
final class SoftmaxHead {
  /// The sum of weighted losses of each lane, in nats. [B]
  let losses: Buffer<Double>
  /// The sum of target weights of each lane. [B]
  let targetWeights: Buffer<Double>
  /// The loss of every position, [T B].
  let positionLosses: Buffer<Double>
  /// The most probable token of every position, [T B]; only `forward` without gradient finds it.
  let predictions: Buffer<Int32>

  /// A block's logits take at most this many floats a shard, unless one step needs more.
  private static let blockBudget = 8 << 20

  private let context: LayerContext
  private let input: Signal
  private let weight: ParameterView
  private let bias: ParameterView
  private let blockSteps: Int
  private let logits: Buffer<Float>

  /// Reads `input` [T B, H]; the parameters are `weight` [V, H], which may be another layer's too, and
  /// `bias` [V].
  init(_ context: LayerContext, weight: String, weightIsShared: Bool, bias: String, input: Signal) {
    let shape = context.shape
    self.context = context
    self.input = input
    // A function of the shard's shape alone: the sums of its gradients are cut at the ends of blocks.
    let classes = context.memory.view(bias).weights.count
    blockSteps = min(shape.steps, max(1, Self.blockBudget / (shape.lanesPerShard * classes)))
    let inBlocks: GradientSums.Contributions = blockSteps < shape.steps ? .inParts : .atOnce
    self.weight = context.gradients.parameter(weight, weightIsShared ? .inParts : inBlocks)
    self.bias = context.gradients.parameter(bias, inBlocks)
    logits = Buffer(rows: blockSteps * shape.lanes, columns: self.weight.weights.rows)
    context.products.reserve(
      rows: blockSteps * shape.lanesPerShard, outputs: self.weight.weights.rows, inputs: input.value.columns)
    losses = Buffer(count: shape.lanes)
    targetWeights = Buffer(count: shape.lanes)
    positionLosses = Buffer(count: shape.rows)
    predictions = Buffer(count: shape.rows)
  }

  /// Computes the losses; with `gradient` also the gradient of the input, and adds to the gradients of the parameters,
  /// else also the predictions.
  func forward(_ chunk: TokenChunk, gradient: Bool) {
    let (steps, lanes) = (context.shape.steps, context.shape.lanes)
    checkTargets(chunk)
    for first in stride(from: 0, to: steps, by: blockSteps) {
      let rows = first * lanes..<min(first + blockSteps, steps) * lanes
      let logits = computeLogits(rows)
      context.meter.measure(.softmax) {
        st_softmax_cross_entropy(
          logits.rows, logits.columns, logits.base, chunk.targets + rows.lowerBound,
          chunk.weights + rows.lowerBound, gradient, positionLosses.base + rows.lowerBound)
      }
      if gradient {
        backward(logits, rows)
      } else {
        st_largest_in_rows(
          logits.rows, logits.columns, logits.base, predictions.base + rows.lowerBound)
      }
    }
    sumByLane(chunk)
  }

  /// The logits of the rows of a block of at most `blockSteps` steps, valid until the next call.
  func computeLogits(_ rows: Range<Int>) -> Matrix {
    let logits = logits.matrix(rows: rows.count, columns: weight.weights.rows)
    st_fill_rows(logits.rows, logits.columns, bias.weights.base, logits.base, logits.stride)
    context.products.forward(input.value.rows(rows), weight.weights, into: logits, accumulate: true)
    return logits
  }

  private func backward(_ dLogits: Matrix, _ rows: Range<Int>) {
    let steps = rows.count / context.shape.lanes
    context.gradients.addProduct(dLogits, input.value.rows(rows), steps: steps, to: weight.gradient)
    context.gradients.addColumnSums(dLogits, steps: steps, to: bias.gradient)
    context.products.inputGradient(dLogits, weight.weights, into: input.gradient.rows(rows))
  }

  /// Targets without weight are not looked at.
  private func checkTargets(_ chunk: TokenChunk) {
    for position in 0..<context.shape.rows where chunk.weights[position] != 0 {
      let target = Int(chunk.targets[position])
      precondition(target >= 0 && target < weight.weights.rows, "a target outside the vocabulary")
    }
  }

  private func sumByLane(_ chunk: TokenChunk) {
    losses.clear()
    targetWeights.clear()
    for t in 0..<context.shape.steps {
      for lane in 0..<chunk.lanes {
        let position = t * chunk.lanes + lane
        losses.base[lane] += positionLosses.base[position]
        targetWeights.base[lane] += Double(chunk.weights[position])
      }
    }
  }
}
