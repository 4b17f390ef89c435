import Chunks
import Glibc
import Preconditions

/// The targets of a split, each with the weight by which it counts.
struct CountedTargets {
  /// What they are.
  let track: TrackDescription
  /// The values of the whole dataset.
  let values: TrackValues
  /// Where the targets lie among them.
  let rows: [Int]
  /// Their weights.
  let weights: [Double]
  /// The sum of the weights.
  let weight: Double

  init(of content: DatasetContent, in range: Range<Int>) {
    let description = content.description
    guard let values = content.values[.target] ?? content.values[.input] else {
      preconditionFailure("a dataset has an input")
    }
    track = description.target
    self.values = values
    rows = zip(content.offsets, content.offsets.dropFirst()).filter { range.contains($0.0) }
      .flatMap { Array(($0 + description.horizon)..<$1) }
    weights = rows.map { row in content.positionWeights.map { Double($0[row]) } ?? 1 }
    weight = weights.reduce(0, +)
  }
}

extension StatedLoss {
  /// The loss a target of the best prediction that is the same for every target: what a model must be below.
  func ofBestConstant(_ targets: CountedTargets) -> Double {
    switch (targets.track, targets.values) {
    case (.tokens(let vocabulary), .tokens(let tokens)):
      var shares = [Double](repeating: 0, count: vocabulary.count)
      for (row, weight) in zip(targets.rows, targets.weights) { shares[Int(tokens[row])] += weight }
      return -shares.filter { $0 > 0 }.reduce(0) { $0 + $1 * log($1 / targets.weight) } / targets.weight
    case (.frames(let columns), .frames(let frames)):
      let variances = (0..<columns.width).map { column in
        Moments(
          zip(targets.rows, targets.weights).lazy.map { row, weight in
            let value = frames[row * columns.width + column]
            return (Double(columns.normalized(value, column: column)), weight)
          }
        ).variance
      }
      return self == .gaussian
        ? variances.reduce(0) { $0 + (log(2 * .pi * $1) + 1) / 2 }
        : variances.reduce(0, +) / Double(columns.width)
    default: preconditionFailure("values are of the kind that their track is")
    }
  }
}

/// The mean and variance of weighted numbers.
struct Moments {
  let mean: Double
  let variance: Double

  init(_ numbers: some Collection<(Double, weight: Double)>) {
    let weight = numbers.reduce(0) { $0 + $1.weight }
    let mean = numbers.reduce(0) { $0 + $1.weight * $1.0 } / weight
    variance = numbers.reduce(0) { $0 + $1.weight * ($1.0 - mean) * ($1.0 - mean) } / weight
    self.mean = mean
  }
}
