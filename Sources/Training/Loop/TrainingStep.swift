import Chunks
import Core
import Evaluation
import MPI
import Preconditions
import Sequences

/// What came of a step.
package struct StepOutcome {
  /// The mean loss, in nats a target; 0 where there are no targets.
  package let loss: Double
  /// The sum of the targets' weights.
  package let targets: Double
  /// Where there is a discriminator, its mean loss over both kinds of inputs, and the model's of being told apart.
  package let adversarial: (discriminator: Double, model: Double)?
  /// The global norm of the gradient of the mean loss, before clipping.
  package let norm: Double
  /// Whether the gradient was clipped.
  package let clipped: Bool
  /// What was not finite, if anything; then nothing has been updated.
  package let nonFinite: NonFinite?
  /// Whether any rank has been asked to stop.
  package let stops: Bool
  /// The epoch of the last chunk, and its number in it.
  package let position: (epoch: Int, chunk: Int)
}

/// One update of the weights, from the data to the weights that all ranks share.
///
///     chunks -> forward, backward -> exchange -> losses, norms and flags to all -> clip -> update -> publish
///
/// With scheduled sampling, the model first draws some inputs of each chunk itself; with professor forcing, it is also trained
/// on the chunk with inputs of which it has drawn all.
///
/// Every rank makes the same collective calls in the same order.
package final class TrainingStep {
  package let model: Model
  /// What sums gradients over the ranks and gives all of them the weights.
  package let exchange: GradientExchange
  let optimizer: any Optimizer

  private let communicator: Communicator
  private let report: StepReport
  private let weightCheck: WeightCheck
  private let accumulate: Int
  private let clipNorm: Double
  private let sampling: ScheduledSampling?
  private let professor: ProfessorForcing?
  private let messages: StateMessages?
  private let padding: Chunk?
  private let entering: [Buffer<Float>]
  private var position = (epoch: 0, chunk: 0)
  /// The seconds that this rank has waited in the last step after it had reported.
  private var waitedAfterReport = 0.0

  /// - Parameters:
  ///   - accumulate: The number of chunks whose gradients make one update.
  ///   - clipNorm: The norm above which the gradient is scaled down to it; 0 for never.
  ///   - checkEvery: The steps between two comparisons of the hosts' weights; 0 for none.
  init(
    _ communicator: Communicator, _ parts: StepParts, exchange: GradientExchange, accumulate: Int,
    clipNorm: Double, checkEvery: Int
  ) {
    weightCheck = WeightCheck(every: checkEvery, communicator, exchange.memory.layout)
    self.communicator = communicator
    self.exchange = exchange
    self.accumulate = accumulate
    self.clipNorm = clipNorm
    model = parts.model
    optimizer = parts.optimizer
    report = parts.report
    sampling = parts.sampling
    professor = parts.professor
    messages = parts.messages
    padding = parts.padding
    entering = parts.entering
  }

  /// Trains on the next chunks of the rank's lanes.
  ///
  /// - Parameters:
  ///   - step: The number of this update, from 1.
  ///   - firstChunk: The number of its first chunk in the run, from 0.
  ///   - shouldStop: Whether this rank has been asked to stop; called once, as late as the other ranks can still learn of it.
  ///   - nextChunk: Gives the next chunk, which stands until it is called again.
  /// - Throws: `JobError` where `nextChunk` has thrown on any rank, or the weights of the hosts differ; `MPIError`.
  package func run(
    step: Int, firstChunk: Int, learningRate: Double, shouldStop: () -> Bool,
    nextChunk: () throws -> Chunk
  ) throws -> StepOutcome {
    for (state, copy) in zip(model.states, entering) {
      copy.base.update(from: state.values.base, count: copy.count)
    }
    let meter = model.meter
    let waitedBefore = WaitClock.own.seconds
    model.clearGradients()
    try meter.measure(.exchange) { try exchange.awaitPackedWeights() }
    report.begin()
    let failure = trainOnChunks(step: step, firstChunk: firstChunk, nextChunk)
    try messages?.check()
    report.check(model.states)
    let gradients = try meter.measure(.exchange) { try exchange.reduce() }
    meter.measure(.optimizer) { report.add(gradients: gradients) }
    report.add(stop: shouldStop())
    let waited = WaitClock.own.seconds
    report.add(waited: waitedAfterReport + waited - waitedBefore)
    let checksWeights = weightCheck.isDue(step: step)
    if checksWeights { report.add(weights: weightCheck.digest(exchange.memory.weights)) }
    let summary = try meter.measure(.exchange) { try report.gather(hasDigests: checksWeights) }
    if summary.failed { try communicator.agree { if let failure { throw failure } } }
    let differing = checksWeights ? weightCheck.differingHosts(summary.weightDigests) : []
    if !differing.isEmpty {
      try communicator.agree { throw TrainingError(weightCheck.message(step: step, differing)) }
    }

    let scale = GradientScale(summary, clipNorm: clipNorm)
    if summary.nonFinite == nil && summary.targets > 0 {
      let update = UpdateScale(gradient: Float(scale.factor), learningRate: learningRate, step: step)
      meter.measure(.optimizer) {
        optimizer.update(weights: exchange.memory.weights, gradients: gradients, update)
      }
    }
    try meter.measure(.exchange) { try exchange.publish() }
    waitedAfterReport = WaitClock.own.seconds - waited
    model.prepareWeights()
    return StepOutcome(
      loss: summary.meanLoss, targets: summary.targets, adversarial: summary.adversarial, norm: scale.norm,
      clipped: scale.clipped,
      nonFinite: summary.nonFinite, stops: summary.stops, position: position)
  }

  /// How long the ranks have waited in steps since this was last called.
  func takeWaits() -> RankWaits { report.takeWaits() }

  /// Puts the carried states back to what they were before the last step, whatever number of chunks it had.
  func restoreStates() {
    precondition(entering.count == model.states.count, "the step was made without a way back")
    for (state, copy) in zip(model.states, entering) {
      state.values.base.update(from: copy.base, count: copy.count)
    }
  }

  /// Adds the gradients of the step's chunks. A rank that cannot read its data still takes part in the exchange, where
  /// all ranks learn of it, and in the passing of states, for which others wait.
  private func trainOnChunks(
    step: Int, firstChunk: Int, _ nextChunk: () throws -> Chunk
  ) -> (any Error)? {
    professor?.prepareWeights()
    sampling?.prepareWeights(step: step)
    var failure: (any Error)?
    for index in 0..<accumulate {
      let isLast = index + 1 == accumulate
      do {
        if failure == nil {
          let chunk = try model.meter.measure(.data) { try nextChunk() }
          position = (chunk.epoch, chunk.index)
          chunk.number = UInt32(truncatingIfNeeded: firstChunk + index)
          professor?.train(model, on: chunk)
          sampling?.replaceInputs(of: chunk, step: step, from: model.states)
          train(on: chunk, isLast: isLast)
          report.add(model.sums, model.discriminator)
          continue
        }
      } catch {
        report.fail()
        failure = error
      }
      guard let padding else { return failure }
      padding.clear(steps: 1)
      train(on: padding, isLast: isLast)
    }
    return failure
  }

  private func train(on chunk: Chunk, isLast: Bool) {
    model.train(chunk, isLast: isLast) { piece in
      model.meter.measure(.exchange) { exchange.finished(piece: piece) }
    }
  }
}

/// What the summed gradient is multiplied by: it is divided by the sum of the target weights once, and scaled down to
/// the norm at which it is clipped (Pascanu et al. 2013), as `torch.nn.utils.clip_grad_norm_` does. Zero where there are
/// no targets.
package struct GradientScale: Equatable {
  package let norm: Double
  package let factor: Double
  package let clipped: Bool

  package init(_ summary: StepSummary, clipNorm: Double) {
    guard summary.targets > 0 else {
      (norm, factor, clipped) = (0, 0, false)
      return
    }
    norm = summary.squares.squareRoot() / summary.targets
    let coefficient = clipNorm > 0 ? min(1, clipNorm / (norm + 1e-6)) : 1
    clipped = coefficient < 1
    factor = coefficient / summary.targets
  }
}
