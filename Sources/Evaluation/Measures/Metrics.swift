import Glibc

/// How well a model predicts the targets of a split.
package struct Metrics: Sendable, Equatable {
  /// A measure's value.
  package struct Value: Sendable, Equatable {
    package let measure: Measure
    package let value: Double
  }

  /// The measures that there are, in the order in which they are shown.
  package var values: [Value] = []
  /// The sum of losses, each multiplied by its target's weight.
  package var lossSum = 0.0
  /// The sum of those weights.
  package var weightSum = 0.0
  /// The number of targets: of positions that count.
  package var targets = 0
  /// Whether the loss is a negative log likelihood, in nats.
  package var isLossInNats = true
  /// The number of targets that were predicted, where they are tokens: the model's most probable token was the target.
  package var correct: Int?
  /// What became of the targets of each label.
  package var labels: [LabelScore] = []
  /// How often each label, by rows, was held to be each label, by columns.
  package var confusion: [[Int]] = []
  /// The settings of BLEU and chrF, as sacreBLEU names them, where they were measured.
  package var signatures: [String] = []
  /// The errors of each unit of frames.
  package var units: [UnitScore] = []

  package init() {}

  /// The value of a measure; nil where it does not apply.
  package subscript(_ measure: Measure) -> Double? { values.first { $0.measure == measure }?.value }

  /// The mean loss.
  package var loss: Double { self[.loss] ?? .nan }

  /// Adds what texts that the model said are worth.
  mutating func add(_ scores: TextScores) {
    add(.bleu, scores.bleu)
    add(.chrf, scores.chrf)
    add(.exactMatch, scores.exactMatch)
    add(.editRate, scores.editRate)
    signatures = [TextScores.bleuSignature, TextScores.chrfSignature]
  }

  /// Adds where the model attended.
  mutating func add(_ scores: AttentionScores) {
    if let mass = scores.alignmentMass { add(.alignmentMass, mass) }
    if let coverage = scores.coverage { add(.coverage, coverage) }
  }

  /// Adds what came of a pass in which the model read what it had drawn itself.
  mutating func add(freeRunning: Metrics) {
    add(.freeRunningLoss, freeRunning.loss)
    add(.exposureBias, freeRunning.loss - loss)
  }

  mutating func add(_ measure: Measure, _ value: Double) {
    values.append(Value(measure: measure, value: value))
  }
}

/// What became of the targets of a label.
package struct LabelScore: Sendable, Equatable {
  package let name: String
  /// Its targets.
  package let targets: Int
  /// How often it was predicted, and how often rightly.
  package let predicted: Int
  package let correct: Int

  /// The share of its predictions that were right; 0 where there is none.
  package var precision: Double { share(correct, of: predicted) }
  /// The share of its targets that were predicted; 0 where there is none.
  package var recall: Double { share(correct, of: targets) }
  /// The harmonic mean of both.
  package var f1: Double { share(2 * correct, of: targets + predicted) }
}

/// A part of a whole; 0 where there is no whole.
func share(_ part: Int, of whole: Int) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }

/// The errors of a unit of frames, in the data's units; NaN where nothing or no variation is there to measure by.
package struct UnitScore: Sendable, Equatable {
  package let name: String
  package let mse: Double
  package let mae: Double
  package let r2: Double
  package let corr: Double

  package static func == (a: UnitScore, b: UnitScore) -> Bool {
    a.name == b.name
      && zip([a.mse, a.mae, a.r2, a.corr], [b.mse, b.mae, b.r2, b.corr]).allSatisfy {
        $0 == $1 || ($0.isNaN && $1.isNaN)
      }
  }
}
