import Chunks
import Core

/// How often each label was held to be each: a matrix [targets, predictions] of counts.
final class LabelTally: Tally {
  let isExact = true

  private let model: Model
  private let labels: [String]

  init(_ model: Model, _ labels: [String]) {
    self.model = model
    self.labels = labels
  }

  var count: Int { labels.count * labels.count }

  func add(_ chunk: Chunk, to sums: UnsafeMutablePointer<Double>) {
    let (predictions, targets) = (model.predictedTokens, chunk.tokens(.target))
    for row in 0..<chunk.rows where chunk.weights[row] > 0 {
      sums[Int(targets[row]) * labels.count + Int(predictions[row])] += 1
    }
  }

  /// Macro means are over the labels that are targets or predictions.
  func conclude(_ sums: [Double], _ metrics: inout Metrics) {
    let all = labels.indices
    metrics.confusion = all.map { target in all.map { Int(sums[target * all.count + $0]) } }
    metrics.labels = all.map { label in
      LabelScore(
        name: labels[label], targets: metrics.confusion[label].reduce(0, +),
        predicted: metrics.confusion.reduce(0) { $0 + $1[label] }, correct: metrics.confusion[label][label])
    }
    let present = metrics.labels.filter { $0.targets + $0.predicted > 0 }
    func mean(_ score: (LabelScore) -> Double) -> Double {
      present.reduce(0) { $0 + score($1) } / Double(present.count)
    }
    metrics.add(.precisionMacro, mean(\.precision))
    metrics.add(.recallMacro, mean(\.recall))
    metrics.add(.f1Macro, mean(\.f1))
  }
}
