/// Which files are imported, and what of them is for training, validation and test.
package enum PartPlan: Sendable {
  /// Fractions of all these files.
  case fractions([String], SplitPlan)
  /// Files of each part's own: for training, validation and, where there are three, test.
  case files([[String]])
  /// What a column or array in these files, called so, says of each row or stream: `train`, `validation` or `test`.
  case named(String, [String])

  /// The files: all together, or a group for each part.
  package var groups: [[String]] {
    switch self {
    case .fractions(let files, _), .named(_, let files): [files]
    case .files(let groups): groups
    }
  }

  /// The column or array that tells the parts, where one does.
  var name: String? {
    if case .named(let name, _) = self { name } else { nil }
  }

  /// The texts, in the groups of their files.
  ///
  /// - Throws: As `TextSource.all`.
  func sources(matching pattern: String? = nil, keptIn directory: String) throws -> [[TextSource]] {
    try TextSource.requireOneStandardInput(groups.flatMap(\.self))
    return try groups.map { try TextSource.all($0, matching: pattern, keptIn: directory) }
  }

  /// The splits of data with these streams.
  ///
  /// - Parameter ends: The number of streams up to the end of each part, where files or a column tell the parts.
  /// - Throws: `DataError` where a split would be empty.
  func splits(offsets: [Int], ends: [Int]) throws -> [DatasetWriter.Split] {
    if case .fractions(_, let plan) = self { return try plan.splits(offsets: offsets) }
    return try zip(SplitPlan.names.indices, zip([0] + ends, ends)).map { part, streams in
      let name = SplitPlan.names[part]
      guard streams.0 < streams.1 else { throw DataError("split \(name) would be empty: \(reason(part))") }
      return DatasetWriter.Split(name: name, range: offsets[streams.0]..<offsets[streams.1])
    }
  }

  private func reason(_ part: Int) -> String {
    switch self {
    case .fractions: "give it a larger part, or more data"
    case .files(let groups): "there is nothing in \(groups[part].joined(separator: ", "))"
    case .named(let name, _): "\(name) has no row with \(SplitPlan.names[part])"
    }
  }
}
