import Glibc
import Random
import Sequences
import Testing

@Suite struct WholeScheduleTests {
  /// What an epoch plays: of each chunk its steps, and the stream on each lane.
  private func chunks(_ schedule: Schedule, lanes: Range<Int>? = nil, epoch: Int = 0) throws
    -> [(steps: Int, streams: [Int?])]
  {
    let lanes = lanes ?? 0..<schedule.lanes
    var walk = try schedule.walk(lanes: lanes, epoch: epoch)
    return (0..<schedule.chunks(inEpoch: epoch)).map { _ in
      var streams = [Int?](repeating: nil, count: lanes.count)
      let chunk = walk.next { lane, piece in
        #expect(streams[lane - lanes.lowerBound] == nil)
        #expect(piece.resets && piece.counts && piece.offset == 0)
        #expect(piece.steps == 0..<schedule.streams.pairs(of: piece.stream))
        #expect(piece.start == schedule.streams.offset(piece.stream))
        streams[lane - lanes.lowerBound] = piece.stream
      }
      return (chunk.steps, streams)
    }
  }

  private func schedule(_ table: StreamTable, lanes: Int, _ traversal: Traversal = .training(seed: 5)) throws
    -> Schedule
  {
    try Schedule(streams: table, lanes: lanes, chunk: 8, mode: .whole, traversal: traversal)
  }

  @Test(arguments: [Traversal.training(seed: 5), .evaluation], [1, 4, 7])
  func `each stream is played once an epoch, from its beginning to its end`(traversal: Traversal, lanes: Int)
    throws
  {
    let table = try unevenStreams(200, longest: 60, seed: 3)
    let schedule = try schedule(table, lanes: lanes, traversal)
    let playable = (0..<table.count).filter { table.pairs(of: $0) > 0 }
    for epoch in 0..<3 {
      let chunks = try chunks(schedule, epoch: epoch)
      #expect(chunks.count == (playable.count + lanes - 1) / lanes)
      #expect(chunks.flatMap(\.streams).compactMap { $0 }.sorted() == playable)
      for (steps, streams) in chunks {
        let longest = try #require(streams.compactMap { $0 }.map(table.pairs(of:)).max())
        #expect(steps == WholeLength.rounded(up: longest) && steps <= schedule.chunk)
      }
    }
  }

  @Test func `epochs and seeds have their own orders, and the same ones each time`() throws {
    let table = try unevenStreams(200, longest: 20, seed: 3)
    func order(seed: UInt64, epoch: Int) throws -> [Int] {
      try chunks(schedule(table, lanes: 4, .training(seed: seed)), epoch: epoch).flatMap(\.streams).compactMap
      { $0 }
    }
    let orders = try [order(seed: 1, epoch: 0), order(seed: 1, epoch: 1), order(seed: 2, epoch: 0)]
    #expect(Set(orders).count == 3)
    #expect(try order(seed: 1, epoch: 1) == orders[1])
  }

  @Test func `lanes play the same whatever lanes share their rank, and from any chunk on`() throws {
    let table = try unevenStreams(150, longest: 40, seed: 8)
    let schedule = try schedule(table, lanes: 6)
    let whole = try chunks(schedule, epoch: 1)
    for lanes in [0..<1, 1..<4, 4..<6] {
      let part = try chunks(schedule, lanes: lanes, epoch: 1)
      #expect(part.map(\.steps) == whole.map(\.steps))
      #expect(part.map(\.streams) == whole.map { Array($0.streams[lanes]) })
    }
    var walk = try schedule.walk(lanes: 0..<6, epoch: 0, chunk: schedule.chunks(inEpoch: 0) - 2)
    for _ in 0..<2 { walk.next { _, _ in } }
    for expected in whole {
      var streams = [Int?](repeating: nil, count: 6)
      let chunk = walk.next { streams[$0] = $1.stream }
      #expect(chunk.epoch == 1 && chunk.steps == expected.steps && streams == expected.streams)
    }
  }

  /// The share of a chunk's positions that no stream has, in an epoch of `count` streams of these lengths.
  private func padding(_ count: Int, lanes: Int, length: (inout RandomStream) -> Int) throws -> Double {
    var random = RandomStream(RandomKey(seed: 4, purpose: .benchmark))
    let table = try StreamTable(
      offsets: (0..<count).reduce(into: [0]) { offsets, _ in
        offsets.append(offsets[offsets.count - 1] + length(&random))
      },
      lookahead: 0)
    let positions = try chunks(schedule(table, lanes: lanes)).reduce(0) { $0 + $1.steps * lanes }
    return 1 - Double(table.pairs) / Double(positions)
  }

  @Test(arguments: [8, 32, 64])
  func `under a tenth of the positions of sentences are padding`(lanes: Int) throws {
    // Sentences of 1 to 120 words: of a gamma distribution of shape 3 and mean 22.
    let share = try padding(5000, lanes: lanes) { random in
      let product = (0..<3).reduce(1.0) { product, _ in product * max(1e-9, random.uniform()) }
      return min(120, max(1, Int((-22.0 / 3 * log(product)).rounded())))
    }
    #expect(share < 0.06)
    #expect(try padding(5000, lanes: lanes) { 1 + $0.below(200) } < 0.1)
  }

  /// Pairs of these lengths, the stream's a number of targets.
  private func pairs(_ lengths: [(source: Int, target: Int)]) throws -> StreamTable {
    func offsets(_ lengths: [Int]) -> [Int] { lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) } }
    return try StreamTable(
      offsets: offsets(lengths.map { $0.target + 1 }), sources: offsets(lengths.map(\.source)), lookahead: 1)
  }

  /// The share of the positions of chunks and their sources that no pair has.
  private func padding(ofPairs lengths: [(source: Int, target: Int)], lanes: Int) throws -> Double {
    let table = try pairs(lengths)
    let schedule = try schedule(table, lanes: lanes)
    var walk = try schedule.walk(lanes: 0..<1)
    let positions = (0..<schedule.chunks(inEpoch: 0)).reduce(0) { sum, _ in
      let chunk = walk.next { _, _ in }
      return sum + (chunk.steps + chunk.sourceSteps) * lanes
    }
    return 1 - Double(lengths.reduce(0) { $0 + $1.source + $1.target }) / Double(positions)
  }

  @Test func `under 15 percent of the positions of pairs of sentences are padding`() throws {
    var random = RandomStream(RandomKey(seed: 6, purpose: .benchmark))
    func gaussian() -> Double {
      (-2 * log(max(1e-12, random.uniform()))).squareRoot() * cos(2 * .pi * random.uniform())
    }
    let even = (0..<5000).map { _ in (source: 20 + random.below(11), target: 20 + random.below(11)) }
    // Log-normal, of median 18; targets are a quarter longer or shorter.
    let uneven = (0..<20_000).map { _ in
      let source = max(1, (18 * exp(0.6 * gaussian())).rounded())
      return (source: Int(source), target: max(1, Int((source * exp(0.25 * gaussian())).rounded())))
    }
    let found = try [32, 64].flatMap { lanes in
      try [padding(ofPairs: even, lanes: lanes), padding(ofPairs: uneven, lanes: lanes)]
    }
    #expect(found.allSatisfy { $0 < 0.15 }, "\(found)")
  }

  @Test func `a chunk of pairs has the steps of its longest stream and of its longest source`() throws {
    var random = RandomStream(RandomKey(seed: 7, purpose: .benchmark))
    let lengths = (0..<203).map { _ in (source: 1 + random.below(40), target: 1 + random.below(60)) }
    let table = try pairs(lengths)
    for traversal in [Traversal.training(seed: 5), .evaluation] {
      let schedule = try schedule(table, lanes: 6, traversal)
      var walk = try schedule.walk(lanes: 0..<6)
      var played: [Int] = []
      for _ in 0..<schedule.chunks(inEpoch: 0) {
        var streams: [Int] = []
        let chunk = walk.next { streams.append($1.stream) }
        #expect(chunk.steps == WholeLength.rounded(up: streams.map { lengths[$0].target }.max() ?? 0))
        #expect(chunk.sourceSteps == WholeLength.rounded(up: streams.map { lengths[$0].source }.max() ?? 0))
        #expect(chunk.steps <= schedule.chunk && chunk.sourceSteps <= schedule.sourceSteps)
        played += streams
      }
      #expect(played.sorted() == Array(0..<203))
    }
  }

  @Test func `pairs are played whole, and longest is of both sides`() throws {
    let table = try pairs([(source: 12, target: 3), (source: 4, target: 9)])
    func schedule(_ mode: ScheduleMode, longest: Int = 12) throws -> Schedule {
      try Schedule(
        streams: table, lanes: 1, chunk: 2, mode: mode, traversal: .training(seed: 1), longest: longest)
    }
    #expect(try schedule(.auto).mode == .whole)
    #expect(try schedule(.auto).chunk == 9 && schedule(.auto).sourceSteps == 12)
    for mode in [ScheduleMode.packed, .contiguous] {
      #expect(
        throws: DataError(
          "the streams are pairs, which are only played whole; set data.mode whole, found \(mode)")
      ) {
        try schedule(mode)
      }
    }
    #expect {
      try schedule(.auto, longest: 11)
    } throws: {
      "\($0)".hasPrefix(
        "1 stream of 2, or their sources, are longer than data.longest 11, the longest with 12 steps; ")
    }
  }

  @Test func `lengths of chunks are few, and at most an eighth longer than a stream`() {
    var lengths: Set<Int> = []
    for length in 1...4096 {
      let rounded = WholeLength.rounded(up: length)
      #expect(rounded >= length && rounded * 8 < length * 9 + 8)
      #expect(WholeLength.rounded(up: rounded) == rounded)
      lengths.insert(rounded)
    }
    #expect(lengths.count == 16 + 8 * 8)
    #expect(
      lengths.sorted().prefix(20) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24])
  }

  @Test func `streams that are too long are refused, and told`() throws {
    let table = try streams([5, 30, 12, 41])
    #expect {
      try Schedule(
        streams: table, lanes: 2, chunk: 8, mode: .whole, traversal: .evaluation, longest: 28)
    } throws: {
      "\($0)".hasPrefix("2 streams of 4 are longer than data.longest 28, the longest with 40 steps; ")
    }
    #expect(
      try Schedule(streams: table, lanes: 2, chunk: 8, mode: .whole, traversal: .evaluation, longest: 40)
        .chunk == 40)
    #expect {
      try schedule(table, lanes: 5)
    } throws: {
      "\($0)".hasPrefix("4 streams can't fill 5 lanes in whole mode")
    }
  }

  @Test func `targets that lie further ahead, or at once, leave streams other pairs`() throws {
    for lookahead in [0, 1, 2, 5] {
      let lengths = [4, 1, 6, 2, 9]
      let table = try StreamTable(
        offsets: lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }, lookahead: lookahead)
      let pairs = lengths.map { max(0, $0 - lookahead) }
      #expect((0..<5).map(table.pairs(of:)) == pairs)
      #expect((0...5).map(table.firstPair(of:)) == (0...5).map { pairs.prefix($0).reduce(0, +) })
      #expect(table.pairs == pairs.reduce(0, +))
      // Cut in the first stream and the last.
      let cut = table.cut(to: 2..<19)
      let rest = [2, 1, 6, 2, 6].map { max(0, $0 - lookahead) }
      #expect((0..<5).map(cut.pairs(of:)) == rest && cut.pairs == rest.reduce(0, +))
    }
  }
}
