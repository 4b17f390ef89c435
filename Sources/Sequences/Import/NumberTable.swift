/// What becomes of a value that is missing in the input.
package enum MissingInputs: String, Sendable, CaseIterable {
  /// It becomes the mean, and a column beside its own says 1 where a value is missing and 0 elsewhere.
  case mask
  /// The last value of the stream before it is repeated; where there is none, it becomes the mean.
  case forward
  /// It becomes the mean, which is 0 for the model.
  case zero
}

/// Columns of numbers with a row a position; what is missing is NaN.
struct NumberTable {
  let names: [String]
  /// [N, D].
  var values: [Double]

  var width: Int { names.count }
  var rowCount: Int { values.count / width }

  func isMissing(_ row: Int, _ column: Int) -> Bool { values[row * width + column].isNaN }

  /// The columns of these names.
  func columns(_ names: [String]) -> NumberTable {
    let chosen = names.compactMap { self.names.firstIndex(of: $0) }
    return NumberTable(
      names: names,
      values: (0..<rowCount).flatMap { row in chosen.lazy.map { values[row * width + $0] } })
  }
}

/// How each column of a table is normalised: by mean and standard deviation of its values in the training part.
struct Normalization {
  private(set) var means: [Float] = []
  private(set) var scales: [Float] = []
  /// What whoever made the data may not know of them, in sentences.
  private(set) var remarks: [String] = []

  /// Of the rows of the training part.
  ///
  /// - Throws: `DataError` where a column has no value there.
  init(_ table: NumberTable, training rows: Range<Int>) throws {
    for (column, name) in table.names.enumerated() {
      let values = rows.lazy.map { table.values[$0 * table.width + column] }.filter { !$0.isNaN }
      guard let first = values.first else {
        throw DataError(
          "all \(rows.count) values of column \(name.debugDescription) in the training part are missing; leave the "
            + "column out, or give the part other rows")
      }
      let count = values.reduce(0.0) { count, _ in count + 1 }
      let mean = values.reduce(0, +) / count
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      let scale = Float(variance.squareRoot())
      let isConstant = scale == 0 || values.allSatisfy { $0 == first }
      means.append(Float(mean))
      scales.append(isConstant ? 1 : scale)
      if isConstant {
        remarks.append(
          "column \(name.debugDescription) is \(Float(mean)) throughout the training part; it says nothing to a model"
        )
      }
    }
  }
}

extension NumberTable {
  var hasMissing: Bool { values.contains { $0.isNaN } }

  /// The values, with the means where one is missing.
  func filled(_ normalization: Normalization) -> [Float] {
    values.enumerated().map { $1.isNaN ? normalization.means[$0 % width] : Float($1) }
  }

  /// With the last value of a stream where one is missing.
  func carriedForward(_ offsets: [Int]) -> NumberTable {
    var table = self
    for (first, end) in zip(offsets, offsets.dropFirst()) {
      for row in first..<end where row > first {
        for column in 0..<width where isMissing(row, column) {
          table.values[row * width + column] = table.values[(row - 1) * width + column]
        }
      }
    }
    return table
  }
}
