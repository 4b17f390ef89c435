import Chunks
import FileSystem
import Random

/// The most values of an input: they are made in memory.
private let mostValues = 1 << 28

extension StreamTask {
  package func write(_ output: String, seed: UInt64, command: String) throws {
    try content(seed: seed, command: command).write(to: output)
  }

  /// The dataset: 90 % of the streams are for training, 5 % each for validation and test.
  ///
  /// What the streams share is drawn from the random numbers at place (0, 0, 1), stream i from those at place (i, 0,
  /// 0).
  package func content(seed: UInt64, command: String) throws -> DatasetContent {
    let key = RandomKey(seed: seed, purpose: .synthesis)
    var shared = RandomStream(key, at: (0, 0, 1))
    let draw = source(&shared)
    func stream(_ number: Int) -> SyntheticStream {
      var random = RandomStream(key, at: (UInt32(number), 0, 0))
      return draw(&random)
    }
    let size = stream(0).input.count
    guard streams <= mostValues / size else {
      throw DataError(
        "\(streams) streams of \(size) values are more than the \(mostValues) that a synthetic dataset may have; take at most "
          + "\(Wording.counted(mostValues / size, "stream"))")
    }
    let drawn = (0..<streams).map(stream)
    var tracks = try tracks
    let width = tracks[.input]?.width ?? 1
    let offsets = drawn.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.input.count / width) }
    let parts = try SplitPlan(fractions: [0.9, 0.05, 0.05], measure: .stream).splits(offsets: offsets)
    var values: [TrackRole: TrackValues] = [.input: TrackValues(joining: drawn.map(\.input))]
    if tracks[.target] != nil { values[.target] = TrackValues(joining: drawn.compactMap(\.target)) }
    if Self.isNormalized {
      tracks[.input] = try tracks[.input]?.normalized(to: values[.input], parts[0].range)
    }
    let sourceTrack = try sourceTrack
    var content = DatasetContent(
      try DataDescription(tracks, source: sourceTrack), offsets: offsets, splits: parts, values: values,
      positionWeights: drawn[0].weights == nil ? nil : drawn.flatMap { $0.weights ?? [] },
      source: sourceTrack.map { Self.joined(drawn.compactMap(\.source), width: $0.width) },
      alignment: drawn[0].alignment == nil ? nil : drawn.flatMap { $0.alignment ?? [] },
      origin: DatasetOrigin(command: command))
    content.splits = parts.map { part in
      let targets = CountedTargets(of: content, in: part.range)
      let numbers = drawn.indices.filter { part.range.contains(offsets[$0]) }
      func mean(_ sum: (SyntheticStream) -> Double) -> Double {
        numbers.reduce(0) { $0 + sum(drawn[$1]) } / targets.weight
      }
      return DatasetWriter.Split(
        name: part.name, range: part.range, floor: mean(\.floor),
        trivial: trivial ?? Self.loss.ofBestConstant(targets),
        bounds: Self.bounds.enumerated().map { index, bound in (bound, mean { $0.bounds[index] }) })
    }
    return content
  }

  private static func joined(_ sources: [TrackValues], width: Int) -> (offsets: [Int], values: TrackValues) {
    (
      sources.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count / width) },
      TrackValues(joining: sources)
    )
  }
}

extension TrackValues {
  /// The values of several streams, one after another.
  fileprivate init(joining streams: [TrackValues]) {
    let tokens = streams.flatMap { stream -> [Int32] in
      if case .tokens(let tokens) = stream { tokens } else { [] }
    }
    let frames = streams.flatMap { stream -> [Float] in
      if case .frames(let frames) = stream { frames } else { [] }
    }
    self = tokens.isEmpty ? .frames(frames) : .tokens(tokens)
  }
}

extension TrackDescription {
  /// The same columns, of which models read the values of `rows` with mean 0 and variance 1.
  fileprivate func normalized(to values: TrackValues?, _ rows: Range<Int>) throws -> TrackDescription {
    guard case .frames(let columns) = self, case .frames(let frames) = values else { return self }
    let moments = (0..<columns.width).map { column in
      Moments(rows.lazy.map { (Double(frames[$0 * columns.width + column]), 1) })
    }
    return .frames(
      try FrameColumns(
        columns.names, means: moments.map { Float($0.mean) },
        scales: moments.map { Float($0.variance.squareRoot()) }))
  }
}
