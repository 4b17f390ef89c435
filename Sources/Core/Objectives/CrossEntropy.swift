import CKernels
import Chunks
import Glibc
import Preconditions

/// The cross entropy of a softmax over the tokens of the target: -log softmax(o)[target], in nats. Records the most
/// probable token of each position, and whether it was the target.
///
/// Training may spread a part of each target's weight over all tokens (`model.label_smoothing`; Szegedy et al. 2016) and
/// weigh tokens (`model.class_weights`), as `torch.nn.CrossEntropyLoss`; evaluation measures the cross entropy itself.
final class CrossEntropy: Objective {
  static let name = "cross_entropy"
  static let judgements: Set = [Judgement.choice]
  static let settings = ["label_smoothing", "class_weights"]

  static func suits(_ tracks: TrackSet) -> Suitability {
    if case .tokens = tracks[.target] { .natural } else { .none }
  }

  let outputs: Int

  private let predictions: Buffer<Int32>
  private let probabilities: Buffer<Float>
  private let correct: Buffer<UInt8>
  private let shaping: Shaping?
  private let ones: Buffer<Float>

  /// What training makes of targets.
  private struct Shaping {
    let smoothing: Float
    /// [V]
    let classWeights: Buffer<Float>
    /// The weight of each position times that of its target. [T B]
    let weights: Buffer<Float>

    /// nil where the configuration asks for none.
    init?(_ configuration: ModelConfiguration, count: Int, rows: Int) {
      let given = configuration.classWeights
      guard configuration.labelSmoothing > 0 || !given.isEmpty else { return nil }
      precondition(given.isEmpty || given.count == count, "there is a weight for each class")
      smoothing = Float(configuration.labelSmoothing)
      classWeights = Buffer(count: count)
      weights = Buffer(count: rows)
      guard MemoryMeasurement.current == nil else { return }
      for index in 0..<count { classWeights.base[index] = given.isEmpty ? 1 : Float(given[index]) }
    }
  }

  init(_ builder: Builder, _ configuration: ModelConfiguration) {
    guard case .tokens(let count) = builder.tracks[.target] else {
      preconditionFailure("the targets of a cross entropy are tokens")
    }
    outputs = count
    let rows = builder.shape.rows
    predictions = Buffer(count: rows)
    probabilities = Buffer(count: rows)
    correct = Buffer(count: rows)
    ones = Buffer(count: rows)
    shaping = Shaping(configuration, count: count, rows: rows)
    if MemoryMeasurement.current == nil { ones.elements.update(repeating: 1) }
  }

  var records: [Record] {
    [
      Record(
        name: "correct", description: "whether the model held the target to be the most probable token",
        unit: "target", use: .summed, columns: 1, values: .counts(correct.base)),
      Record(
        name: "prediction", description: "the most probable token by the model: its number in the vocabulary",
        unit: "token", use: [.kept, .predicted], columns: 1, values: .integers(predictions.base)),
      Record(
        name: "probability", description: "the probability of the most probable token by the model",
        unit: "1",
        use: .predicted, columns: 1, values: .floats(probabilities.base)),
    ]
  }

  /// Targets without weight are not looked at.
  func weigh(_ chunk: Chunk, _ pass: ObjectivePass) -> UnsafePointer<Float> {
    let targets = chunk.tokens(.target)
    for position in 0..<chunk.rows where chunk.weights[position] != 0 {
      precondition(targets[position] >= 0 && targets[position] < outputs, "a target outside the vocabulary")
    }
    guard pass == .training, let shaping else { return UnsafePointer(chunk.weights) }
    for position in 0..<chunk.rows {
      let weight = chunk.weights[position]
      shaping.weights.base[position] =
        weight == 0 ? 0 : weight * shaping.classWeights.base[Int(targets[position])]
    }
    return UnsafePointer(shaping.weights.base)
  }

  func compute(
    _ logits: Matrix, rows: Range<Int>, of chunk: Chunk, losses: UnsafeMutablePointer<Double>,
    _ pass: ObjectivePass
  ) {
    let losses = losses + rows.lowerBound
    guard pass != .prediction else { return predict(logits, rows: rows, losses) }
    let (targets, weights) = (chunk.tokens(.target) + rows.lowerBound, chunk.weights + rows.lowerBound)
    if pass == .training, let shaping {
      st_smoothed_cross_entropy(
        logits.rows, outputs, logits.base, targets, weights, shaping.smoothing, shaping.classWeights.base,
        losses)
      return
    }
    st_softmax_cross_entropy(
      logits.rows, outputs, logits.base, targets, weights, pass == .training, losses)
    guard pass == .evaluation else { return }
    let predictions = predictions.base + rows.lowerBound
    st_largest_in_rows(logits.rows, outputs, logits.base, predictions)
    for row in 0..<logits.rows {
      correct.base[rows.lowerBound + row] = predictions[row] == targets[row] && weights[row] > 0 ? 1 : 0
    }
  }

  /// Finds the most probable tokens, and their probabilities by way of the losses that they would have as targets.
  private func predict(_ logits: Matrix, rows: Range<Int>, _ losses: UnsafeMutablePointer<Double>) {
    let predictions = predictions.base + rows.lowerBound
    st_largest_in_rows(logits.rows, outputs, logits.base, predictions)
    st_softmax_cross_entropy(logits.rows, outputs, logits.base, predictions, ones.base, false, losses)
    for row in 0..<logits.rows { probabilities.base[rows.lowerBound + row] = Float(exp(-losses[row])) }
  }
}
