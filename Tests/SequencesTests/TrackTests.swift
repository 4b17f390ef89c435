import Chunks
import Sequences
import TestSupport
import Testing

/// What a chunk holds, copied: its tracks as numbers, whatever their kinds.
private struct Played: Equatable {
  var tracks: [[Double]]
  var weights: [Float]
  var resets: [UInt8]
  var steps: Int
  /// Of pairs one.
  var source: [Played] = []

  init(_ chunk: Chunk) {
    source = chunk.source.map { [Played($0)] } ?? []
    tracks = TrackRole.allCases.map { role in
      switch chunk.tracks[role] {
      case .tokens: (0..<chunk.rows).map { Double(chunk.tokens(role)[$0]) }
      case .frames(let width): (0..<chunk.rows * width).map { Double(chunk.frames(role).base[$0]) }
      case nil: []
      }
    }
    weights = (0..<chunk.rows).map { chunk.weights[$0] }
    resets = (0..<chunk.rows).map { chunk.resets[$0] }
    steps = chunk.steps
  }

  /// By hand from the content, position by position.
  init(_ content: DatasetContent, _ schedule: Schedule, lanes: Range<Int>, epoch: Int, chunk: Int) throws {
    var found: [(row: Int, piece: Piece)] = []
    var walk = try schedule.walk(lanes: lanes, epoch: epoch, chunk: chunk)
    steps = walk.next { found.append(($0 - lanes.lowerBound, $1)) }.steps
    let rows = steps * lanes.count
    let description = content.description
    tracks = TrackRole.allCases.map { role in
      let width = role == .target ? description.target.width : description[role]?.width ?? 0
      return [Double](repeating: 0, count: rows * width)
    }
    weights = [Float](repeating: 0, count: rows)
    resets = [UInt8](repeating: 1, count: rows)
    for (row, piece) in found {
      for step in piece.steps {
        let place = step * lanes.count + row
        let position = piece.start + step - piece.steps.lowerBound
        let target = position + description.horizon
        let begins = piece.resets && step == piece.steps.lowerBound
        resets[place] = begins ? 1 : 0
        weights[place] = piece.counts ? content.positionWeights?[target] ?? 1 : 0
        func put(_ role: TrackRole, from source: TrackRole, row: Int) {
          let values = content.row(source, row)
          tracks[role.rawValue].replaceSubrange(
            place * values.count..<(place + 1) * values.count, with: values)
        }
        put(.input, from: .input, row: position)
        put(.target, from: description.stored[.target] == nil ? .input : .target, row: target)
        if description.stored[.weight] != nil { put(.weight, from: .weight, row: target) }
        if begins, description.stored[.initial] != nil {
          let stream = content.offsets.lastIndex { $0 <= position } ?? -1
          put(.initial, from: .initial, row: stream)
        }
      }
    }
    guard content.source != nil else { return }
    var longest = 1
    var all = try schedule.walk(lanes: 0..<schedule.lanes, epoch: epoch, chunk: chunk)
    all.next { _, piece in longest = max(longest, content.source(at: piece.start).count) }
    source = [
      Played(content, found.map { ($0.row, content.source(at: $0.piece.start)) }, longest, lanes: lanes.count)
    ]
  }

  /// Sources by hand: rows of the content on lanes, in a chunk of the rounded length of the longest.
  private init(_ content: DatasetContent, _ found: [(row: Int, rows: Range<Int>)], _ longest: Int, lanes: Int)
  {
    steps = WholeLength.rounded(up: longest)
    let count = steps * lanes
    let width = content.description.source?.width ?? 0
    tracks = TrackRole.allCases.map { $0 == .input ? [Double](repeating: 0, count: count * width) : [] }
    weights = [Float](repeating: 0, count: count)
    resets = [UInt8](repeating: 1, count: count)
    for (lane, rows) in found {
      for (step, row) in rows.enumerated() {
        let place = step * lanes + lane
        weights[place] = 1
        resets[place] = step == 0 ? 1 : 0
        let values = Self.row(content.description.source, content.source?.values, row)
        tracks[0].replaceSubrange(place * values.count..<(place + 1) * values.count, with: values)
      }
    }
  }

  /// A row of a track as a model sees it.
  fileprivate static func row(_ track: TrackDescription?, _ values: TrackValues?, _ row: Int) -> [Double] {
    switch (track, values) {
    case (.tokens, .tokens(let tokens)): [Double(tokens[row])]
    case (.frames(let columns), .frames(let frames)):
      (0..<columns.width).map { column in
        Double((frames[row * columns.width + column] - columns.means[column]) / columns.scales[column])
      }
    default: []
    }
  }
}

extension DatasetContent {
  fileprivate func row(_ role: TrackRole, _ row: Int) -> [Double] {
    Played.row(description.stored[role], values[role], row)
  }

  /// The rows of the source of the stream that begins at a position.
  fileprivate func source(at position: Int) -> Range<Int> {
    guard let offsets = source?.offsets, let stream = self.offsets.firstIndex(of: position) else {
      return 0..<0
    }
    return offsets[stream]..<offsets[stream + 1]
  }
}

extension Played {
  /// What some of its lanes play.
  fileprivate func part(_ lanes: Range<Int>, of all: Int) -> Played {
    func cut<T>(_ values: [T]) -> [T] {
      let width = values.count / (steps * all)
      return (0..<steps).flatMap { step in
        values[(step * all + lanes.lowerBound) * width..<(step * all + lanes.upperBound) * width]
      }
    }
    var part = self
    (part.tracks, part.weights, part.resets) = (tracks.map(cut), cut(weights), cut(resets))
    part.source = source.map { $0.part(lanes, of: all) }
    return part
  }
}

/// What every kind of track does in every mode.
@Suite struct TrackTests {
  private func withDataset(_ sample: TrackSample, _ body: (SequenceDataset) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      try sample.content.write(to: "\(directory)/d.h5")
      try body(SequenceDataset("\(directory)/d.h5"))
    }
  }

  private func expectPlayed(_ dataset: SequenceDataset, _ content: DatasetContent) throws {
    for mode in content.source == nil ? [ScheduleMode.contiguous, .packed, .whole] : [.whole, .auto] {
      for traversal in [Traversal.training(seed: 3), .evaluation] {
        for split in dataset.splits.prefix(traversal == .evaluation ? 2 : 1) {
          let schedule = try Schedule(
            streams: split.streams, lanes: traversal == .evaluation ? 3 : 5, chunk: 6, mode: mode,
            traversal: traversal)
          for lanes in [0..<schedule.lanes, 1..<3] {
            let feeder = try ChunkFeeder(dataset, schedule, lanes: lanes)
            defer { feeder.close() }
            for epoch in 0..<2 {
              for chunk in 0..<schedule.chunks(inEpoch: epoch) {
                let expected = try Played(content, schedule, lanes: lanes, epoch: epoch, chunk: chunk)
                let found = Played(try feeder.nextChunk())
                guard found != expected else { continue }
                Issue.record("\(mode) \(traversal) \(split.name) \(lanes) epoch \(epoch) chunk \(chunk)")
                return
              }
            }
          }
        }
      }
    }
  }

  @Test(arguments: TrackSample.all)
  func `what a lane plays is what the file holds, read or held in memory`(_ sample: TrackSample) throws {
    try withDataset(sample) { dataset in
      try expectPlayed(dataset, sample.content)
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: dataset.byteCount, alignment: 64)
      defer { memory.deallocate() }
      memory.initializeMemory(as: UInt8.self, repeating: 0xFF)
      let count = dataset.streams.tokens.count
      for range in [0..<1, 1..<100, 100..<count] { try dataset.load(positions: range, into: memory) }
      dataset.hold(in: UnsafeRawBufferPointer(memory))
      try dataset.verify()
      try expectPlayed(dataset, sample.content)
    }
  }

  @Test(arguments: TrackSample.all)
  func `a dataset of tracks is read as it was written`(_ sample: TrackSample) throws {
    try withDataset(sample) { dataset in
      let content = sample.content
      #expect(dataset.formatVersion == 2)
      #expect(dataset.description == content.description)
      #expect(Array(dataset.streams.offsets) == content.offsets)
      #expect(dataset.splits.map(\.name) == ["train", "validation"])
      #expect(dataset.splits.map(\.floor) == [0.5, nil] && dataset.splits.map(\.trivial) == [2, nil])
      #expect(dataset.origin == content.origin)
      try dataset.verify()
      for (role, values) in content.values {
        switch values {
        case .tokens(let tokens): #expect(try dataset.readTokens(role, rows: 1..<9) == Array(tokens[1..<9]))
        case .frames(let frames):
          let width = frames.count / (role == .initial ? 40 : dataset.streams.tokens.count)
          #expect(try dataset.readFrames(role, rows: 1..<9) == Array(frames[width..<9 * width]))
        }
      }
      #expect(dataset.streams.arePairs == (content.source != nil))
      guard let offsets = content.source?.offsets else { return }
      #expect((0..<40).map(dataset.streams.source(of:)) == (0..<40).map { offsets[$0]..<offsets[$0 + 1] })
    }
  }

  @Test(arguments: TrackSample.pairs)
  func `ranks together play the pairs that one plays, from any chunk on`(_ sample: TrackSample) throws {
    try withDataset(sample) { dataset in
      let schedule = try Schedule(
        streams: dataset.split("train").streams, lanes: 8, chunk: 6, mode: .auto,
        traversal: .training(seed: 7))
      let chunks = schedule.chunks(inEpoch: 0) + schedule.chunks(inEpoch: 1)
      func play(_ lanes: Range<Int>, from first: Int = 0) throws -> [Played] {
        let epoch = first / schedule.chunks(inEpoch: 0)
        let feeder = try ChunkFeeder(
          dataset, schedule, lanes: lanes, epoch: epoch, chunk: first % schedule.chunks(inEpoch: 0))
        defer { feeder.close() }
        return try (first..<chunks).map { _ in Played(try feeder.nextChunk()) }
      }
      let whole = try play(0..<8)
      for ranks in [1, 2, 3, 8] {
        for rank in 0..<ranks {
          let lanes = rank * 8 / ranks..<(rank + 1) * 8 / ranks
          #expect(try play(lanes) == whole.map { $0.part(lanes, of: 8) })
        }
      }
      for first in 1..<chunks {
        #expect(try play(2..<5, from: first) == whole[first...].map { $0.part(2..<5, of: 8) })
      }
    }
  }

  @Test func `frames are normalised as the data were that a model was trained on`() throws {
    let sample = try #require(TrackSample.all.first { $0.testDescription == "the next frame" })
    var other = sample.content
    other.description = try DataDescription([
      .input: .frames(
        FrameColumns(["x", "y", "z"], units: ["m", "", "s"], means: [7, -1, 2], scales: [0.5, 4, 1]))
    ])
    try withDataset(sample) { dataset in
      let normalized = try dataset.normalized(by: other.description.normalization)
      #expect(normalized.description == other.description)
      #expect(normalized.fingerprint == dataset.fingerprint)
      try normalized.verify()
      try expectPlayed(normalized, other)
    }
  }

  @Test func `a label a stream is one target that counts in each`() throws {
    let sample = try #require(TrackSample.all.first { $0.testDescription == "a label a stream" })
    try withDataset(sample) { dataset in
      let split = try dataset.split("validation")
      let schedule = try Schedule(
        streams: split.streams, lanes: 2, chunk: 8, mode: .whole, traversal: .evaluation)
      let feeder = try ChunkFeeder(dataset, schedule, lanes: 0..<2)
      defer { feeder.close() }
      var counted = 0
      for _ in 0..<schedule.chunks(inEpoch: 0) {
        let chunk = try feeder.nextChunk()
        counted += (0..<chunk.rows).count { chunk.weights[$0] != 0 }
      }
      #expect(counted == split.streams.count)
    }
  }
}
