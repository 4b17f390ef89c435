import Chunks
import Core
import Evaluation
import Glibc
import Settings

/// How the share of inputs that the model draws itself grows over the steps of a training, by how that of the true ones
/// decays (Bengio et al. 2015, section 2.4).
package enum SamplingDecay: String, Sendable, CaseIterable {
  /// Not at all: all inputs are true.
  case none
  /// 1 - i / steps.
  case linear
  /// k^i, which is 1 / e after `steps`.
  case exponential
  /// k / (k + exp(i / k)), which is about one half after `steps`.
  case inverseSigmoid = "inverse_sigmoid"
}

extension SamplingDecay: SettingValue {}

/// Which inputs the model draws itself in training.
package struct SamplingConfiguration: Sendable, Equatable {
  /// How the share of true inputs decays.
  package var decay = SamplingDecay.none
  /// How fast, in updates.
  package var steps = 1000
  /// The largest share of inputs that are drawn.
  package var limit = 1.0

  /// The defaults.
  package init() {}

  /// The share of inputs that are drawn in an update, counted from 1.
  package func share(step: Int) -> Double {
    let (i, steps) = (Double(step - 1), Double(steps))
    let truth =
      switch decay {
      case .none: 1.0
      case .linear: max(0, 1 - i / steps)
      case .exponential: exp(-i / steps)
      case .inverseSigmoid: inverseSigmoid(i)
      }
    return min(limit, 1 - truth)
  }

  /// k / (k + exp(i / k)) with the k at which that is one half for i = `steps`: k ln k = `steps`, by Newton's method.
  private func inverseSigmoid(_ i: Double) -> Double {
    let steps = Double(steps)
    var k = steps + 2
    for _ in 0..<64 { k -= (k * log(k) - steps) / (log(k) + 1) }
    return k / (k + exp(i / k))
  }
}

extension SamplingConfiguration {
  /// Its settings.
  package static let settings: [Setting<SamplingConfiguration>] = [
    Setting(
      "decay", \.decay, mayChange: true,
      "How the share of true inputs falls, the others being drawn by the model (scheduled sampling)",
      synonyms: "scheduledsampling teacherforcing teacherforcingratio samplingdecay"),
    Setting(
      "steps", \.steps, .within(1, TrainingConfiguration.mostSteps), mayChange: true,
      "Updates until no input is true (linear), a share of 1/e (exponential), one half (inverse_sigmoid)"),
    Setting(
      "limit", \.limit, .within(0, 1), mayChange: true, "Largest share of inputs that the model draws"),
  ]
}

/// Scheduled sampling in the steps of a training.
struct ScheduledSampling {
  private let configuration: SamplingConfiguration
  private let sampler: InputSampler

  init(_ configuration: SamplingConfiguration, _ sampler: InputSampler) {
    self.configuration = configuration
    self.sampler = sampler
  }

  /// Call at the beginning of each step, before its chunks.
  func prepareWeights(step: Int) {
    if configuration.share(step: step) > 0 { sampler.prepareWeights() }
  }

  /// Replaces inputs of a chunk that is about to be trained on by a model in these states.
  func replaceInputs(of chunk: Chunk, step: Int, from states: [CarriedState]) {
    let share = configuration.share(step: step)
    guard share > 0 else { return }
    sampler.replaceInputs(of: chunk, number: chunk.number, share: share, from: states)
  }
}
