import Chunks
import Core
import Glibc

/// The moments of targets and predictions of each unit, lane by lane in Double, and the errors that they make.
///
/// They are taken as the model has them, normalised, which keeps their differences exact, and brought to the data's units
/// at the end.
final class ErrorTally: Tally {
  let isExact = false

  private let model: Model
  private let description: TargetDescription
  private let isDensity: Bool
  private let width: Int

  /// The sums of a unit.
  private enum Sum: Int, CaseIterable {
    case weight, squares, sizes, target, targetSquares, prediction, predictionSquares, products
  }

  /// - Parameter isDensity: Whether the loss is the negative log of a density.
  init(_ model: Model, _ description: TargetDescription, isDensity: Bool) {
    self.model = model
    self.description = description
    self.isDensity = isDensity
    width = model.predictedFrames.width
  }

  var count: Int { width * Sum.allCases.count }

  func add(_ chunk: Chunk, to sums: UnsafeMutablePointer<Double>) {
    let (predictions, targets) = (model.predictedFrames.values, chunk.frames(.target))
    let units = chunk.unitWeights
    for row in 0..<chunk.rows where chunk.weights[row] > 0 {
      let own = sums + row % chunk.lanes * count
      for unit in 0..<width {
        let weight = Double(chunk.weights[row]) * (units.map { Double($0[row][unit]) } ?? 1)
        guard weight > 0 else { continue }
        let (target, prediction) = (Double(targets[row][unit]), Double(predictions[row * width + unit]))
        let (error, sum) = (prediction - target, own + unit * Sum.allCases.count)
        sum[Sum.weight.rawValue] += weight
        sum[Sum.squares.rawValue] += weight * error * error
        sum[Sum.sizes.rawValue] += weight * abs(error)
        sum[Sum.target.rawValue] += weight * target
        sum[Sum.targetSquares.rawValue] += weight * target * target
        sum[Sum.prediction.rawValue] += weight * prediction
        sum[Sum.predictionSquares.rawValue] += weight * prediction * prediction
        sum[Sum.products.rawValue] += weight * target * prediction
      }
    }
  }

  /// The errors of a unit, normalised.
  private struct Errors {
    let weight: Double
    let squares: Double
    let sizes: Double
    /// The weighted squares around the means of targets and predictions, and their products.
    let variation: Double
    let predictionVariation: Double
    let covariation: Double

    init(_ sums: ArraySlice<Double>) {
      func sum(_ sum: Sum) -> Double { sums[sums.startIndex + sum.rawValue] }
      (weight, squares, sizes) = (sum(.weight), sum(.squares), sum(.sizes))
      func around(_ products: Sum, _ a: Sum, _ b: Sum) -> Double {
        sum(products) - sum(a) * sum(b) / sum(.weight)
      }
      variation = around(.targetSquares, .target, .target)
      predictionVariation = around(.predictionSquares, .prediction, .prediction)
      covariation = around(.products, .target, .prediction)
    }
  }

  func conclude(_ sums: [Double], _ metrics: inout Metrics) {
    let per = Sum.allCases.count
    let errors = (0..<width).map { Errors(sums[$0 * per..<($0 + 1) * per]) }
    metrics.units = errors.enumerated().map { index, of in
      let unit = description.unit(index)
      let varies = of.variation > 0
      let spread = (of.variation * of.predictionVariation).squareRoot()
      return UnitScore(
        name: unit.name, mse: unit.scale * unit.scale * of.squares / of.weight,
        mae: unit.scale * of.sizes / of.weight, r2: varies ? 1 - of.squares / of.variation : .nan,
        corr: spread > 0 ? of.covariation / spread : .nan)
    }
    /// The sum over units of their sums, each times a power of the unit's scale.
    func total(_ power: Double, _ sum: (Errors) -> Double) -> Double {
      errors.enumerated().reduce(0) { total, unit in
        unit.element.weight > 0
          ? total + pow(description.unit(unit.offset).scale, power) * sum(unit.element) : total
      }
    }
    /// The mean over the units of which there is a number.
    func mean(_ score: (UnitScore) -> Double) -> Double {
      let scores = metrics.units.map(score).filter { !$0.isNaN }
      return scores.isEmpty ? .nan : scores.reduce(0, +) / Double(scores.count)
    }
    let weight = total(0) { $0.weight }
    metrics.add(.mse, total(2) { $0.squares } / weight)
    metrics.add(.mae, total(1) { $0.sizes } / weight)
    metrics.add(.r2, mean(\.r2))
    metrics.add(.rse, total(2) { $0.squares } / total(2) { $0.variation })
    metrics.add(.corr, mean(\.corr))
    guard isDensity else { return }
    let logScales = errors.enumerated().reduce(0) {
      $0 + $1.element.weight * log(description.unit($1.offset).scale)
    }
    metrics.add(.nll, metrics.loss + logScales / metrics.weightSum)
  }
}
