import Chunks
import Core
import MPI
import Testing
import Training

/// Updates against the equations in Double, over several steps and ranges that do not follow each other.
@Suite struct OptimizerTests {
  private static let count = 3000
  private static let ranges = [
    (elements: 0..<1000, stateOffset: 0, rateFactor: 1.0, decays: true),
    (elements: 1024..<1027, stateOffset: 1008, rateFactor: 1.0, decays: false),
    (elements: 2000..<2950, stateOffset: 1024, rateFactor: 0.3, decays: true),
  ]

  private static func ranges(decay: Double) -> [UpdateRange] {
    ranges.map {
      UpdateRange(
        elements: $0.elements, stateOffset: $0.stateOffset,
        group: UpdateGroup(rateFactor: $0.rateFactor, weightDecay: $0.decays ? decay : 0))
    }
  }

  private static func value(_ index: Int, _ step: Int) -> Float {
    Float((index * 7919 + step * 104_729) % 2003) / 1000 - 1
  }

  /// Three steps of `optimizer`, and of `reference`: it is given an element's weight, its gradient of the mean loss, the
  /// learning rate, the number of the step and whether it decays, and has two states.
  private func compare(
    _ optimizer: any Optimizer, rate: Double, scale: Float,
    _ reference: (
      _ weight: Double, _ gradient: Double, _ rate: Double, _ step: Int, _ decays: Bool,
      inout (Double, Double)
    ) -> Double
  ) {
    let weights = Buffer<Float>(count: Self.count)
    let gradients = Buffer<Float>(count: Self.count)
    for index in 0..<Self.count { weights.base[index] = Self.value(index, 0) }
    var expected = weights.elements.map(Double.init)
    var states = [(Double, Double)](repeating: (0, 0), count: Self.count)
    for step in 1...3 {
      for index in 0..<Self.count { gradients.base[index] = 10 * Self.value(index, step) }
      optimizer.update(
        weights: weights.base, gradients: gradients.base,
        UpdateScale(gradient: scale, learningRate: rate, step: step))
      for range in Self.ranges {
        for index in range.elements {
          expected[index] = reference(
            expected[index], Double(gradients.base[index]) * Double(scale), rate * range.rateFactor, step,
            range.decays, &states[index])
        }
      }
    }
    for index in 0..<Self.count {
      let error = abs(Double(weights.base[index]) - expected[index])
      #expect(error < 2e-6, "element \(index): expected \(expected[index]), found \(weights.base[index])")
      if error >= 2e-6 { return }
    }
  }

  @Test(arguments: [(0.0, false, 0.0), (0.9, false, 0.1), (0.9, true, 0.1)])
  func sgd(momentum: Double, nesterov: Bool, decay: Double) {
    compare(
      SGD(Self.ranges(decay: decay), momentum: momentum, nesterov: nesterov), rate: 0.1, scale: 0.125
    ) { weight, gradient, rate, step, decays, state in
      state.0 = step == 1 ? gradient : momentum * state.0 + gradient
      let direction = nesterov ? gradient + momentum * state.0 : state.0
      return (decays ? weight * (1 - rate * decay) : weight) - rate * direction
    }
  }

  /// With a beta so near one that its rounding to float is far from nothing beside 1 - beta.
  @Test(arguments: [(0.8, 0.95, 0.0), (0.8, 0.95, 0.1), (0.9, 0.99999, 0.0)])
  func adam(decimal1: Double, decimal2: Double, decay: Double) {
    let (beta1, beta2, epsilon) = (Double(Float(decimal1)), Double(Float(decimal2)), 1e-3)
    let optimizer = Adam(Self.ranges(decay: decay), beta1: decimal1, beta2: decimal2, epsilon: epsilon)
    compare(optimizer, rate: 0.05, scale: 0.125) { weight, gradient, rate, step, decays, state in
      state.0 = beta1 * state.0 + (1 - beta1) * gradient
      state.1 = beta2 * state.1 + (1 - beta2) * gradient * gradient
      var (correction1, correction2) = (1.0, 1.0)
      for _ in 0..<step { (correction1, correction2) = (correction1 * beta1, correction2 * beta2) }
      let mean = state.0 / (1 - correction1)
      let root = (state.1 / (1 - correction2)).squareRoot()
      return (decays ? weight * (1 - rate * decay) : weight) - rate * mean / (root + epsilon)
    }
  }

  @Test func clippingDividesByTargetsOnce() {
    var summary = StepSummary()
    (summary.targets, summary.squares) = (20, 10_000)
    // The norm of the mean is 100 / 20 = 5.
    for norm in [0.0, 6] {
      let scale = GradientScale(summary, clipNorm: norm)
      #expect(scale.norm == 5 && scale.factor == 1 / 20 && !scale.clipped)
    }
    let tight = GradientScale(summary, clipNorm: 2)
    #expect(tight.norm == 5 && tight.clipped)
    #expect(abs(tight.factor - 2 / (5 + 1e-6) / 20) < 1e-17)
  }

  @Test func `no targets mean no loss and no gradient`() {
    let scale = GradientScale(StepSummary(), clipNorm: 1)
    #expect(scale.norm == 0 && scale.factor == 0 && !scale.clipped)
    #expect(StepSummary().meanLoss == 0)
  }

  @Test func `a sum of weights below one is divided by as any other`() {
    var summary = StepSummary()
    (summary.targets, summary.squares, summary.loss) = (0.25, 4, 0.5)
    #expect(summary.meanLoss == 2)
    let scale = GradientScale(summary, clipNorm: 0)
    #expect(scale.norm == 8 && scale.factor == 4 && !scale.clipped)
  }

  @Test func rangesCoverTheSlicesAndNameWhatDecays() {
    var model = ModelConfiguration()
    (model.embedding, model.hidden) = (20, 20)
    let layout = Blueprint(model, tracks: .language(vocabulary: 30)).layout
    for ranks in [1, 3] {
      let ownership = Ownership(layout, hosts: Hosts(ranks: [ranks]))
      let ranges = (0..<ranks).flatMap { rank in
        let ranges = [UpdateRange](layout, slices: ownership.ranges(of: rank)) {
          UpdateGroup(weightDecay: $0.name.contains("bias") ? 0 : 1)
        }
        // States of different ranges do not overlap.
        for (range, next) in zip(ranges, ranges.dropFirst()) {
          #expect(range.stateOffset + range.elements.count <= next.stateOffset)
        }
        return ranges
      }
      for parameter in layout.parameters {
        let parts = ranges.filter { parameter.range.overlaps($0.elements) }
        #expect(parts.flatMap(\.elements).sorted() == Array(parameter.range))
        #expect(parts.allSatisfy { ($0.group.weightDecay > 0) != parameter.name.contains("bias") })
      }
    }
  }
}
