import Chunks
import Core
import Glibc

/// The sums that the model makes of each lane: losses, weights, targets, and right choices.
final class LossTally: Tally {
  let isExact = false

  private let model: Model
  private let isChoice: Bool
  private let isLikelihood: Bool

  init(_ model: Model, _ judgements: Set<Judgement>) {
    self.model = model
    isChoice = judgements.contains(.choice)
    isLikelihood = judgements != [.error]
  }

  var count: Int { model.sums.names.count }

  func add(_ chunk: Chunk, to sums: UnsafeMutablePointer<Double>) {
    for lane in 0..<chunk.lanes {
      for index in 0..<count { sums[lane * count + index] += model.sums[lane, index] }
    }
  }

  func conclude(_ sums: [Double], _ metrics: inout Metrics) {
    metrics.lossSum = sums[LaneSums.loss]
    metrics.weightSum = sums[LaneSums.weight]
    metrics.targets = Int(sums[LaneSums.targets])
    metrics.isLossInNats = isLikelihood
    let loss = metrics.lossSum / metrics.weightSum
    metrics.add(.loss, loss)
    guard isChoice, let place = model.sums.names.firstIndex(of: "correct") else { return }
    metrics.correct = Int(sums[place])
    metrics.add(.perplexity, exp(loss))
    metrics.add(.bitsPerTarget, loss / log(2))
    metrics.add(.accuracy, sums[place] / sums[LaneSums.targets])
  }
}

/// The binary units that the model held to be what they are: 1 where it gave that more than half of the probability.
final class DecisionTally: Tally {
  let isExact = true
  let count = 2

  private let model: Model

  init(_ model: Model) { self.model = model }

  func add(_ chunk: Chunk, to sums: UnsafeMutablePointer<Double>) {
    let (predictions, width) = model.predictedFrames
    let targets = chunk.frames(.target)
    let units = chunk.unitWeights
    for row in 0..<chunk.rows where chunk.weights[row] > 0 {
      for unit in 0..<width where units.map({ $0[row][unit] > 0 }) ?? true {
        sums[0] += (predictions[row * width + unit] > 0.5) == (targets[row][unit] > 0.5) ? 1 : 0
        sums[1] += 1
      }
    }
  }

  func conclude(_ sums: [Double], _ metrics: inout Metrics) {
    metrics.add(.accuracy, sums[0] / sums[1])
    metrics.add(.nll, metrics.loss)
  }
}
