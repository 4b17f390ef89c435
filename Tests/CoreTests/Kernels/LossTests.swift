import CKernels
import Glibc
import Testing

@Suite struct LossTests {
  struct Rows {
    var loss: [Double], logits: [Float]
  }

  private func run(
    _ set: InstructionSet, _ logits: [Float], classes: Int, targets: [Int32], weights: [Float],
    gradient: Bool = true
  ) -> Rows {
    let rows = targets.count
    var result = Rows(
      loss: [Double](repeating: -1, count: rows), logits: logits)
    set.kernels.pointee.softmax_cross_entropy(
      rows, classes, &result.logits, targets, weights, gradient, &result.loss)
    return result
  }

  @Test(arguments: InstructionSet.all, [1, 2, 15, 16, 17, 65, 300, 10_000])
  func `loss and gradient follow the definition`(_ set: InstructionSet, _ classes: Int) {
    let rows = 4
    let logits = numbers(rows * classes, seed: 1).map { $0 * 8 }
    let targets = (0..<rows).map { Int32($0 * 13 % classes) }
    let weights: [Float] = [1, 0.5, 0, 2]
    let result = run(set, logits, classes: classes, targets: targets, weights: weights)
    let evaluated = run(set, logits, classes: classes, targets: targets, weights: weights, gradient: false)
    #expect(evaluated.loss == result.loss)
    #expect(evaluated.logits == logits)
    for r in 0..<rows {
      let row = logits[r * classes..<(r + 1) * classes].map(Double.init), weight = Double(weights[r])
      let largest = row.reduce(-.infinity, max)
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      let target = Int(targets[r])
      #expect(abs(result.loss[r] - weight * (log(sum) + largest - row[target])) < 1e-6)
      for j in 0..<classes {
        let expected = weight * (exp(row[j] - largest) / sum - (j == target ? 1 : 0))
        #expect(abs(Double(result.logits[r * classes + j]) - expected) < 3e-7 * max(abs(weight), 1))
      }
    }
  }

  @Test(arguments: InstructionSet.all, [1, 2, 15, 16, 17, 65, 300])
  func `the largest of a row is found, the first of equals`(_ set: InstructionSet, _ columns: Int) {
    let rows = 5
    var values = numbers(rows * columns, seed: 2)
    for column in [columns / 2, columns - 1] { values[columns + column] = 9 }
    for column in 0..<columns { values[2 * columns + column] = -.infinity }
    for column in 0..<columns { values[3 * columns + column] = .nan }
    values[4 * columns + columns - 1] = .infinity
    var found = [Int32](repeating: -1, count: rows)
    set.kernels.pointee.largest_in_rows(rows, columns, values, &found)
    let first = values[..<columns].indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
    #expect(found == [first, columns / 2, 0, 0, columns - 1].map { Int32($0) })
  }

  @Test(arguments: InstructionSet.all, [Float.nan, .infinity, -.infinity])
  func `a logit that is not finite makes the loss so`(_ set: InstructionSet, _ bad: Float) {
    for (classes, place) in [(5, 2), (20, 3), (100, 50), (100, 99)] {
      var logits = numbers(classes, seed: 1)
      logits[place] = bad
      #expect(!run(set, logits, classes: classes, targets: [1], weights: [1]).loss[0].isFinite)
    }
  }

  @Test(arguments: InstructionSet.all)
  func `logits far apart neither overflow nor vanish`(_ set: InstructionSet) {
    let result = run(set, [3e38, -3e38, 0, 1e4], classes: 4, targets: [0], weights: [1])
    #expect(result.loss[0] == 0 && result.logits == [0, 0, 0, 0])
    let worst = run(set, [1000, 0, -1000], classes: 3, targets: [1], weights: [1])
    #expect(worst.loss[0] == 1000 && worst.logits == [1, -1, 0])
  }
}
