import FileSystem

/// How a dataset is divided into training, validation and test.
package struct SplitPlan: Sendable, Equatable {
  /// What the fractions are fractions of.
  package enum Measure: String, Sendable, CaseIterable {
    /// Positions, such as tokens: a stream may be cut in two.
    case position
    /// Streams: none is cut.
    case stream
  }

  /// The parts of `train`, `validation` and, where there are three, `test`; their sum is 1.
  package let fractions: [Double]
  /// What they are fractions of; nil for streams, or positions where there is only one stream.
  package let measure: Measure?

  /// The splits' names, in their order.
  package static let names = ["train", "validation", "test"]

  /// - Throws: `DataError` unless there are two or three fractions, each above 0, with sum 1.
  package init(fractions: [Double], measure: Measure? = .position) throws {
    guard fractions.count == 2 || fractions.count == 3, fractions.allSatisfy({ $0 > 0 }),
      abs(fractions.reduce(0, +) - 1) < 1e-6
    else {
      throw DataError(
        "the split is \(fractions.map { "\($0)" }.joined(separator: ",")), expected two or three parts above 0 for "
          + "training, validation and test, with sum 1")
    }
    self.fractions = fractions
    self.measure = measure
  }

  /// The splits of data with these streams: in their order, each end rounded down to a whole position or stream. Each
  /// has a stream at least where streams are divided and there are enough.
  func splits(offsets: [Int]) throws -> [DatasetWriter.Split] {
    let measure = measure ?? (offsets.count > 2 ? .stream : .position)
    let count = measure == .position ? offsets[offsets.count - 1] : offsets.count - 1
    var total = 0.0
    let ends = fractions.enumerated().map { index, fraction in
      total += fraction
      // Fractions have no exact binary form: 0.9 + 0.05 of 100 must be 95.
      let end = index == fractions.count - 1 ? count : min(count, Int(total * Double(count) + 1e-6))
      guard measure == .stream else { return end }
      // A stream at least for each part so far, and for each that follows.
      let (least, most) = (min(index + 1, count), max(0, count - (fractions.count - 1 - index)))
      return offsets[min(max(end, least), most)]
    }
    return try zip(Self.names, zip([0] + ends, ends)).map { name, range in
      guard range.0 < range.1 else {
        throw DataError(
          "split \(name) would be empty: of \(Wording.counted(count, "\(measure)")) none is left for it; give it a larger part, or "
            + "more data")
      }
      return DatasetWriter.Split(name: name, range: range.0..<range.1)
    }
  }
}
