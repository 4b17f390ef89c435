import CKernels
import Chunks
import Core

/// A part of one parameter in the slices that a rank updates.
package struct UpdateRange {
  /// The elements in the flat vector of parameters.
  package let elements: Range<Int>
  /// Where they begin in the optimiser's state, which covers the rank's slices and nothing else.
  package let stateOffset: Int
  /// How the parameter is updated.
  package let group: UpdateGroup

  package init(elements: Range<Int>, stateOffset: Int, group: UpdateGroup) {
    self.elements = elements
    self.stateOffset = stateOffset
    self.group = group
  }
}

/// What an update does with the gradients of a step.
package struct UpdateScale {
  /// What each element of the summed gradient is multiplied by: normalisation and clipping in one.
  let gradient: Float
  /// The learning rate of the step.
  let learningRate: Double
  /// The number of the update, from 1.
  let step: Int

  package init(gradient: Float, learningRate: Double, step: Int) {
    self.gradient = gradient
    self.learningRate = learningRate
    self.step = step
  }

  /// The learning rate of a group.
  fileprivate func rate(_ group: UpdateGroup) -> Float { Float(learningRate * group.rateFactor) }
}

/// A rule that turns gradients into new weights, element by element, with states of the weights' shape.
///
/// It works on the slices of the flat vector that its rank owns, and its states exist only there.
package protocol Optimizer: AnyObject {
  /// The names of its states, as `torch.optim` has them.
  static var stateNames: [String] { get }
  /// The states over the rank's slices, in the order of `stateNames`.
  var states: [Buffer<Float>] { get }
  /// One update of the weights from the summed gradients, both indexed like the flat vector, in the rank's ranges.
  func update(weights: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ scale: UpdateScale)
}

/// Stochastic gradient descent with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013), as
/// `torch.optim.SGD` computes it, with decoupled weight decay.
package final class SGD: Optimizer {
  package static let stateNames = ["momentum_buffer"]

  package let states: [Buffer<Float>]
  private let ranges: [UpdateRange]
  private let momentum: Double
  private let nesterov: Bool

  package init(_ ranges: [UpdateRange], momentum: Double, nesterov: Bool) {
    self.ranges = ranges
    self.momentum = momentum
    self.nesterov = nesterov
    states = [Buffer(count: ranges.stateCount)]
  }

  package func update(
    weights: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ scale: UpdateScale
  ) {
    for range in ranges {
      let start = range.elements.lowerBound
      st_sgd(
        range.elements.count, weights + start, gradients + start, states[0].base + range.stateOffset,
        scale.gradient, scale.rate(range.group), Float(momentum), nesterov, scale.step == 1,
        Float(range.group.weightDecay))
    }
  }
}

/// Adam (Kingma & Ba 2015), and AdamW (Loshchilov & Hutter 2019) where the weight decay is not zero.
package final class Adam: Optimizer {
  package static let stateNames = ["exp_avg", "exp_avg_sq"]

  package let states: [Buffer<Float>]
  private let ranges: [UpdateRange]
  /// As the kernel takes them: the bias corrections must be those of the same numbers.
  private let beta1: Float
  private let beta2: Float
  private let epsilon: Double

  package init(_ ranges: [UpdateRange], beta1: Double, beta2: Double, epsilon: Double) {
    self.ranges = ranges
    self.beta1 = Float(beta1)
    self.beta2 = Float(beta2)
    self.epsilon = epsilon
    states = [Buffer(count: ranges.stateCount), Buffer(count: ranges.stateCount)]
  }

  package func update(
    weights: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ scale: UpdateScale
  ) {
    let correction1 = Float(1 - power(Double(beta1), scale.step))
    let correction2 = Float(1 - power(Double(beta2), scale.step))
    for range in ranges {
      let start = range.elements.lowerBound
      st_adam(
        range.elements.count, weights + start, gradients + start, states[0].base + range.stateOffset,
        states[1].base + range.stateOffset, scale.gradient, scale.rate(range.group), beta1, beta2,
        Float(epsilon), Float(range.group.weightDecay), correction1, correction2)
    }
  }
}

/// x to the power n, by squaring.
private func power(_ x: Double, _ n: Int) -> Double {
  var (result, factor, n) = (1.0, x, n)
  while n > 0 {
    if n & 1 == 1 { result *= factor }
    factor *= factor
    n >>= 1
  }
  return result
}

extension [UpdateRange] {
  /// The parts of `layout`'s parameters in `slices`; `group` says how each is updated.
  package init(_ layout: ParameterLayout, slices: [Range<Int>], group: (Parameter) -> UpdateGroup) {
    self = []
    var stateOffset = 0
    for slice in slices {
      for parameter in layout.parameters {
        let elements = parameter.range.clamped(to: slice)
        guard !elements.isEmpty else { continue }
        append(UpdateRange(elements: elements, stateOffset: stateOffset, group: group(parameter)))
        stateOffset += (elements.count + 15) / 16 * 16
      }
    }
  }

  /// The number of elements of a state over these ranges.
  var stateCount: Int { last.map { $0.stateOffset + $0.elements.count } ?? 0 }
}
