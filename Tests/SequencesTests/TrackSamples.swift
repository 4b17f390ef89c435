import Chunks
import Sequences
import Testing

/// Data of one kind: what a dataset of them holds, and what models read of them.
struct TrackSample: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let content: DatasetContent

  /// 40 streams of 1 to 23 positions, of which the first split has all but the last few and cuts one in two; of pairs it
  /// cuts none, and sources have 1 to 17 positions.
  init(
    _ name: String, _ tracks: [TrackRole: TrackDescription], horizon: Int? = nil,
    source: TrackDescription? = nil, weights: ((_ position: Int, _ isLast: Bool) -> Float)? = nil
  ) throws {
    testDescription = name
    let lengths = (0..<40).map { $0 * 7 % 23 + 1 }
    let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let count = offsets[40]
    var values: [TrackRole: TrackValues] = [:]
    for (role, track) in tracks {
      values[role] = Self.values(of: track, rows: role == .initial ? 40 : count, first: role.rawValue)
    }
    let ends = Set(offsets.dropFirst().map { $0 - 1 })
    let sourceOffsets = (0..<40).reduce(into: [0]) { $0.append($0[$0.count - 1] + $1 * 11 % 17 + 1) }
    let cut = offsets[35] + (source == nil ? 3 : 0)
    content = DatasetContent(
      try DataDescription(tracks, horizon: horizon, source: source), offsets: offsets,
      splits: [
        .init(name: "train", range: 0..<cut, floor: 0.5, trivial: 2),
        .init(name: "validation", range: cut..<count),
      ],
      values: values,
      positionWeights: weights.map { weight in (0..<count).map { weight($0, ends.contains($0)) } },
      source: source.map { (sourceOffsets, Self.values(of: $0, rows: sourceOffsets[40], first: 9)) },
      origin: DatasetOrigin(command: "a test"))
  }

  private static func values(of track: TrackDescription, rows: Int, first: Int) -> TrackValues {
    switch track {
    case .tokens(let vocabulary): .tokens((0..<rows).map { Int32(($0 * 31 + first) % vocabulary.count) })
    case .frames(let columns):
      .frames(
        (0..<rows * columns.width).map { place -> Float in
          if columns.isBinary { return Float(place * 5 / 3 % 2) }
          return Float(place % 97) / 8 + Float(first)
        })
    }
  }

  /// Those that are pairs.
  static let pairs = all.filter { $0.content.source != nil }

  static let all: [TrackSample] = {
    do { return try makeAll() } catch { fatalError("\(error)") }
  }()

  private static func makeAll() throws -> [TrackSample] {
    let letters = TrackDescription.tokens(try Vocabulary(level: .char, spellings: ["a", "b", "c", "d", "e"]))
    let words = TrackDescription.tokens(
      try Vocabulary(level: .label, spellings: (0..<300).map { "n\($0)" }))
    let labels = TrackDescription.tokens(try Vocabulary(level: .label, spellings: ["B-X", "I-X", "O"]))
    let three = TrackDescription.frames(
      try FrameColumns(
        ["x", "y", "z"], units: ["m", "", "s"], means: [1.5, 0, -2], scales: [2, 1, 0.25]))
    let two = TrackDescription.frames(try FrameColumns(["u", "v"], means: [3, 4], scales: [0.5, 8]))
    let plain = TrackDescription.frames(try FrameColumns(["u", "v"]))
    let bits = TrackDescription.frames(try FrameColumns(["on", "off"], isBinary: true))
    return [
      try TrackSample("the next token", [.input: letters]),
      try TrackSample("tokens of many kinds, three ahead", [.input: words], horizon: 3),
      try TrackSample("a label a position", [.input: words, .target: labels]),
      try TrackSample("a label a stream", [.input: letters, .target: labels]) { $1 ? 1 : 0 },
      try TrackSample("the next frame", [.input: three]),
      try TrackSample("frames, five ahead", [.input: three], horizon: 5) { position, _ in
        Float(position % 4) / 2
      },
      try TrackSample(
        "frames to frames, with weights of units", [.input: three, .target: two, .weight: plain]),
      try TrackSample(
        "some columns, two ahead", [.input: three, .target: plain, .weight: plain], horizon: 2),
      try TrackSample("frames to labels", [.input: two, .target: labels]),
      try TrackSample("binary frames", [.input: bits]),
      try TrackSample("frames from a class a stream", [.input: three, .initial: labels]),
      try TrackSample("tokens from frames a stream", [.input: letters, .initial: three]),
      try TrackSample("tokens from tokens", [.input: letters], source: words),
      try TrackSample("tokens from frames", [.input: words], source: three) { position, _ in
        Float(position % 3)
      },
      try TrackSample(
        "frames from tokens, two ahead, and what a stream begins with", [.input: two, .initial: labels],
        horizon: 2, source: labels),
    ]
  }
}
