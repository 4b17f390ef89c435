import Chunks
import FileSystem
import HDF5

/// Which arrays of HDF5 files are taken, and as what: paths such as `/x`.
package struct ArrayNames: Sendable {
  /// What the model reads.
  package var inputs: String
  /// What it should say; nil where that is the input further on.
  package var targets: String?
  /// How much each target counts.
  package var weights: String?
  /// The first position of each stream, and the end of the last; nil where each file is one stream.
  package var offsets: String?
  /// What each stream begins with.
  package var initial: String?

  /// These arrays.
  package init(
    inputs: String, targets: String? = nil, weights: String? = nil, offsets: String? = nil,
    initial: String? = nil
  ) {
    self.inputs = inputs
    self.targets = targets
    self.weights = weights
    self.offsets = offsets
    self.initial = initial
  }
}

/// Makes a dataset from arrays in HDF5 files: [N] or [N, D] of N positions, integers as tokens and floats as frames.
///
/// Targets with a row a stream are labels of whole streams, due at their last positions; so are weights then.
package struct HDF5Import: DatasetImport {
  private let parts: PartPlan
  private let names: ArrayNames
  private let horizon: Int?
  private let missing: MissingInputs
  private let vocabularySize: Int?
  private let isBinary: Bool

  /// An import of these parts.
  ///
  /// - Parameters:
  ///   - horizon: How many positions ahead the target lies; nil for 0 with targets, and 1 without.
  ///   - missing: What becomes of inputs that are NaN.
  ///   - vocabularySize: The number of tokens of the inputs; nil for the largest and 1.
  ///   - isBinary: Whether inputs or targets are frames of 0 and 1, which are not normalised.
  package init(
    _ parts: PartPlan, arrays names: ArrayNames, horizon: Int? = nil, missing: MissingInputs = .mask,
    vocabularySize: Int? = nil, isBinary: Bool = false
  ) throws {
    guard vocabularySize ?? 1 >= 1 else {
      throw DataError("the vocabulary size is \(vocabularySize ?? 1), expected 1 or more")
    }
    self.parts = parts
    self.names = names
    self.horizon = horizon
    self.missing = missing
    self.vocabularySize = vocabularySize
    self.isBinary = isBinary
  }

  package func content(
    command: String, keptIn directory: String, progress: @escaping (Double) -> Void
  ) throws -> (DatasetContent, remarks: [String]) {
    var arrays = ImportedArrays(names, part: parts.name)
    var sizes: [(name: String, bytes: Int)] = []
    let count = parts.groups.joined().count
    var ends = try parts.groups.map { group in
      for path in group {
        sizes.append((path, try arrays.read(path)))
        progress(Double(sizes.count) / Double(count))
      }
      return arrays.offsets.count - 1
    }
    if parts.name != nil { ends = arrays.sortByPart() }
    let splits = try parts.splits(offsets: arrays.offsets, ends: ends)
    return try content(arrays, splits, DatasetOrigin(command: command, files: sizes))
  }

  private func content(
    _ arrays: ImportedArrays, _ splits: [DatasetWriter.Split], _ origin: DatasetOrigin
  ) throws -> (DatasetContent, remarks: [String]) {
    let offsets = arrays.offsets
    let positions = splits[0].range
    let streams = 0..<(offsets.firstIndex { $0 >= positions.upperBound } ?? 0)
    var remarks: [String] = []
    func track(_ array: ArrayRows, _ training: Range<Int>, isInput: Bool = false, isBinary: Bool) throws
      -> PreparedTrack
    {
      if let tokens = array.tokens {
        return try array.prepared(tokens: tokens, size: isInput ? vocabularySize : nil)
      }
      let table = array.table
      if isBinary, array.isBinary {
        return PreparedTrack(
          description: .frames(try FrameColumns(table.names, isBinary: true)),
          values: .frames(table.values.map { Float($0) }))
      }
      let normalization = try Normalization(table, training: training)
      remarks += normalization.remarks
      return isInput
        ? try PreparedTrack(input: table, normalization, missing, offsets: offsets)
        : try PreparedTrack(target: table, normalization)
    }
    try requireUse(arrays)
    let input = try track(arrays.inputs, positions, isInput: true, isBinary: isBinary)
    var target = try arrays.targets.map {
      try track($0, arrays.hasStreamTargets ? streams : positions, isBinary: isBinary)
    }
    let initial = try arrays.initial.map { try track($0, streams, isBinary: false) }
    var weights = try arrays.weights?.weights(targets: (target ?? input).width)
    if arrays.hasStreamTargets, let labels = target {
      target = labels.repeated(between: offsets)
      weights = (weights ?? [Float](repeating: 1, count: offsets.count - 1)).placedLast(between: offsets)
    }
    let content = try DatasetContent(
      input: input, target: target, initial: initial, weights: weights, horizon: horizon, offsets: offsets,
      splits: splits, origin: origin)
    return (content, remarks)
  }

  /// Throws where what was asked for has nothing to apply to.
  private func requireUse(_ arrays: ImportedArrays) throws {
    let tracks = [arrays.inputs] + (arrays.targets.map { [$0] } ?? [])
    guard vocabularySize == nil || arrays.inputs.tokens != nil else {
      throw DataError("\(names.inputs) holds real numbers, which have no vocabulary; leave its size out")
    }
    guard !isBinary || tracks.contains(where: { $0.tokens == nil && $0.isBinary }) else {
      throw DataError(
        "neither inputs nor targets are frames of 0 and 1 (in arrays of real numbers, or of [N, D] integers); leave "
          + "--binary out")
    }
    for array in tracks where array.tokens == nil && array.isInteger && !(isBinary && array.isBinary) {
      throw DataError(
        "\(array.name) holds rows of \(array.width) integers, and one integer a position is a token; store frames as "
          + "real numbers, or say --binary where all are 0 or 1")
    }
  }
}

extension PreparedTrack {
  /// The row of each stream at all positions of the stream.
  fileprivate func repeated(between offsets: [Int]) -> PreparedTrack {
    func rows<T>(_ values: [T], width: Int) -> [T] {
      offsets.indices.dropLast().flatMap { stream in
        repeatElement(
          values[stream * width..<(stream + 1) * width], count: offsets[stream + 1] - offsets[stream]
        )
        .joined()
      }
    }
    let values: TrackValues =
      switch self.values {
      case .tokens(let tokens): .tokens(rows(tokens, width: 1))
      case .frames(let frames): .frames(rows(frames, width: width))
      }
    return PreparedTrack(
      description: description, values: values, weights: weights.map { rows($0, width: width) })
  }
}

extension [Float] {
  /// The row of each stream at its last position, and zeros elsewhere.
  fileprivate func placedLast(between offsets: [Int]) -> [Float] {
    let width = count / (offsets.count - 1)
    var placed = [Float](repeating: 0, count: offsets[offsets.count - 1] * width)
    for stream in offsets.indices.dropLast() {
      for unit in 0..<width {
        placed[(offsets[stream + 1] - 1) * width + unit] = self[stream * width + unit]
      }
    }
    return placed
  }
}
