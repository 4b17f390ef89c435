import Random
import Sequences
import Testing

/// Streams of these numbers of tokens, the first of which begins at `start`.
func streams(_ lengths: [Int], from start: Int = 0) throws -> StreamTable {
  try StreamTable(offsets: lengths.reduce(into: [start]) { $0.append($0[$0.count - 1] + $1) })
}

/// Many streams of uneven lengths, some of a single token.
func unevenStreams(_ count: Int, longest: Int, seed: UInt64) throws -> StreamTable {
  var random = RandomStream(RandomKey(seed: seed, purpose: .benchmark))
  return try streams((0..<count).map { _ in 1 + random.below(longest) }, from: 5)
}

/// The pieces of every chunk of a lane in an epoch.
func pieces(_ schedule: Schedule, epoch: Int = 0, lane: Int) throws -> [[Piece]] {
  var walk = try schedule.walk(lanes: lane..<lane + 1, epoch: epoch)
  return (0..<schedule.chunks(inEpoch: epoch)).map { chunk in
    var pieces: [Piece] = []
    let place = walk.next { pieces.append($1) }
    #expect((place.epoch, place.chunk) == (epoch, chunk))
    return pieces
  }
}

@Suite struct ScheduleTests {
  @Test func contiguousLanesCutThePairsIntoEqualParts() throws {
    // Streams a (tokens 0 to 3), b (4), c (5 to 10): the pairs are a0 a1 a2 c0 c1 c2 c3 c4, two to a chunk.
    let schedule = try Schedule(
      streams: streams([4, 1, 6]), lanes: 2, chunk: 3, mode: .contiguous, traversal: .training(seed: 1))
    #expect(schedule.chunks(inEpoch: 0) == 2)
    #expect(
      try pieces(schedule, lane: 0) == [
        [Piece(steps: 0..<3, stream: 0, offset: 0, start: 0, resets: true)],
        [Piece(steps: 0..<1, stream: 2, offset: 0, start: 5, resets: true)],
      ])
    // The second lane begins inside stream c: reset all the same.
    #expect(
      try pieces(schedule, lane: 1) == [
        [Piece(steps: 0..<3, stream: 2, offset: 1, start: 6, resets: true)],
        [Piece(steps: 0..<1, stream: 2, offset: 4, start: 9, resets: false)],
      ])
  }

  @Test func trainingDropsWhatDoesNotFillEqualLanesAndEvaluationDoesNot() throws {
    let table = try streams([12])
    let training = try Schedule(
      streams: table, lanes: 3, chunk: 2, mode: .contiguous, traversal: .training(seed: 1))
    #expect(try (0..<3).map { try count(pieces(training, lane: $0)) } == [3, 3, 3])
    let evaluation = try Schedule(
      streams: table, lanes: 3, chunk: 2, mode: .contiguous, traversal: .evaluation)
    #expect(
      try (0..<3).map { try pieces(evaluation, lane: $0).joined().filter(\.counts).map(\.start) } == [
        [0, 2], [4, 6], [8, 10],
      ])
  }

  @Test func packedStreamsGoWholeToTheLaneWithTheFewestPairs() throws {
    // Pairs 4, 2, 1, 3, 2 in natural order: lanes get (4), (2, 1), then 3 to lane 1, then 2 to lane 0.
    let schedule = try Schedule(
      streams: streams([5, 3, 2, 4, 3]), lanes: 2, chunk: 4, mode: .packed, traversal: .evaluation)
    #expect(schedule.chunks(inEpoch: 0) == 2)
    #expect(
      try pieces(schedule, lane: 0) == [
        [Piece(steps: 0..<4, stream: 0, offset: 0, start: 0, resets: true)],
        [Piece(steps: 0..<2, stream: 4, offset: 0, start: 14, resets: true)],
      ])
    #expect(
      try pieces(schedule, lane: 1) == [
        [
          Piece(steps: 0..<2, stream: 1, offset: 0, start: 5, resets: true),
          Piece(steps: 2..<3, stream: 2, offset: 0, start: 8, resets: true),
          Piece(steps: 3..<4, stream: 3, offset: 0, start: 10, resets: true),
        ],
        [Piece(steps: 0..<2, stream: 3, offset: 1, start: 11, resets: false)],
      ])
  }

  @Test(arguments: [ScheduleMode.contiguous, .packed], [1, 3, 8])
  func evaluationPlaysEveryPairOnce(mode: ScheduleMode, lanes: Int) throws {
    let table = try unevenStreams(60, longest: 40, seed: 3)
    let schedule = try Schedule(streams: table, lanes: lanes, chunk: 7, mode: mode, traversal: .evaluation)
    try expectSound(schedule, epoch: 0)
    let played = try playedPairs(schedule, epoch: 0)
    let expected = (0..<table.count).flatMap { stream in
      (0..<table.pairs(of: stream)).map { table.offsets[stream] + $0 }
    }
    #expect(played.sorted() == expected)
  }

  /// By the pairs of the same stream before its own: all of them, or 256.
  @Test func anEvaluatedLaneIsLedIn() throws {
    let schedule = try Schedule(
      streams: streams([4, 9, 1000]), lanes: 4, chunk: 300, mode: .contiguous, traversal: .evaluation)
    // 1,010 pairs, of which the first 11 are those of the short streams; lanes begin at 0, 253, 506 and 758.
    let leads = try (0..<4).map { lane in
      try pieces(schedule, lane: lane).joined().filter { !$0.counts }.map {
        $0.start..<$0.start + $0.steps.count
      }
    }
    #expect(leads == [[], [13..<255], [252..<508], [504..<760]])
    #expect(schedule.chunks(inEpoch: 0) == 2)
  }

  @Test(arguments: [ScheduleMode.contiguous, .packed], [1, 3, 8])
  func trainingPlaysNoPairTwice(mode: ScheduleMode, lanes: Int) throws {
    let table = try unevenStreams(60, longest: 40, seed: 4)
    let schedule = try Schedule(
      streams: table, lanes: lanes, chunk: 7, mode: mode, traversal: .training(seed: 9))
    for number in 0..<2 {
      try expectSound(schedule, epoch: number)
      let played = try playedPairs(schedule, epoch: number)
      #expect(Set(played).count == played.count)
      #expect(played.count == (mode == .packed ? table.pairs : table.pairs / lanes * lanes))
    }
  }

  /// The starts of all pairs that count.
  private func playedPairs(_ schedule: Schedule, epoch: Int) throws -> [Int] {
    try (0..<schedule.lanes).flatMap { lane in
      try pieces(schedule, epoch: epoch, lane: lane).joined().filter(\.counts).flatMap {
        $0.start..<$0.start + $0.steps.count
      }
    }
  }

  private func count(_ chunks: [[Piece]]) -> Int { chunks.joined().reduce(0) { $0 + $1.steps.count } }

  /// Pieces fill every chunk but a lane's last without gaps, stay inside their streams, go on where the one before
  /// stopped or at a stream's first pair, and reset where they do not go on.
  private func expectSound(_ schedule: Schedule, epoch: Int) throws {
    let table = schedule.streams
    for lane in 0..<schedule.lanes {
      let chunks = try pieces(schedule, epoch: epoch, lane: lane)
      let all = count(chunks)
      for (index, chunk) in chunks.enumerated() {
        #expect(count([chunk]) == max(0, min(schedule.chunk, all - index * schedule.chunk)))
      }
      var last: Piece?
      for piece in chunks.joined() {
        #expect(piece.start == table.offsets[piece.stream] + piece.offset)
        #expect(piece.offset + piece.steps.count <= table.pairs(of: piece.stream))
        let goesOn =
          last.map { $0.stream == piece.stream && $0.offset + $0.steps.count == piece.offset } ?? false
        #expect(goesOn || piece.offset == 0 || last == nil)
        #expect(piece.resets == !goesOn)
        last = piece
      }
      for row in chunks {
        #expect(row.first?.steps.lowerBound ?? 0 == 0)
        for (left, right) in zip(row, row.dropFirst()) {
          #expect(left.steps.upperBound == right.steps.lowerBound)
        }
      }
    }
  }

  @Test(arguments: [ScheduleMode.contiguous, .packed], [Traversal.training(seed: 2), .evaluation])
  func aWalkFromTheMiddleGoesOnAsTheWholeWalkDoes(mode: ScheduleMode, traversal: Traversal) throws {
    let table = try unevenStreams(40, longest: 30, seed: 5)
    let schedule = try Schedule(
      streams: table, lanes: 3, chunk: 5, mode: mode, traversal: traversal)
    for lane in 0..<3 {
      let whole = try pieces(schedule, epoch: 3, lane: lane)
      for chunk in 0...whole.count {
        var walk = try schedule.walk(lanes: lane..<lane + 1, epoch: 3, chunk: chunk)
        var found: [[Piece]] = []
        for _ in chunk..<whole.count {
          found.append([])
          walk.next { found[found.count - 1].append($1) }
        }
        #expect(found == Array(whole[chunk...]))
        // And on through the next epoch, whose order was begun where the walk began.
        let next = try pieces(schedule, epoch: 4, lane: lane)
        for expected in next {
          var found: [Piece] = []
          walk.next { found.append($1) }
          #expect(found == expected)
        }
      }
      for chunk in [whole.count + 1, .max] {
        #expect(throws: DataError.self) { try schedule.walk(lanes: lane..<lane + 1, epoch: 3, chunk: chunk) }
      }
    }
  }

  @Test func epochsAndSeedsShuffleDifferentlyAndRepeatably() throws {
    let table = try unevenStreams(40, longest: 30, seed: 6)
    func order(seed: UInt64, epoch: Int) throws -> [Int] {
      let schedule = try Schedule(
        streams: table, lanes: 2, chunk: 5, mode: .packed, traversal: .training(seed: seed))
      return try pieces(schedule, epoch: epoch, lane: 0).joined().filter(\.resets).map(\.stream)
    }
    let first = try order(seed: 1, epoch: 0)
    #expect(try order(seed: 1, epoch: 0) == first)
    #expect(try order(seed: 1, epoch: 1) != first)
    #expect(try order(seed: 2, epoch: 0) != first)
  }

  @Test
  func
    `Streams are placed as their definition says, in the epoch a walk begins with and in those it comes to`()
    throws
  {
    let seed: UInt64 = 11
    let table = try unevenStreams(700, longest: 9, seed: 4)
    let schedule = try Schedule(
      streams: table, lanes: 5, chunk: 16, mode: .packed, traversal: .training(seed: seed))
    let lanes = 0..<schedule.lanes
    for first in 0..<3 {
      var walk = try schedule.walk(lanes: lanes, epoch: first)
      for epoch in first..<3 {
        var placed = [[Int]](repeating: [], count: lanes.count)
        for _ in 0..<schedule.chunks(inEpoch: epoch) {
          let place = walk.next { if $1.resets { placed[$0].append($1.stream) } }
          #expect(place.epoch == epoch)
        }
        #expect(placed == placement(of: table, lanes: lanes.count, seed: seed, epoch: epoch))
      }
    }
  }

  /// The streams of each lane in packed training, by the definitions: shuffled one draw after another, each on the first
  /// of the lanes with the fewest pairs.
  private func placement(of table: StreamTable, lanes: Int, seed: UInt64, epoch: Int) -> [[Int]] {
    var random = RandomStream(RandomKey(seed: seed, purpose: .shuffling), at: (UInt32(epoch), 0, 0))
    var order = (0..<table.count).filter { table.pairs(of: $0) > 0 }
    for last in order.indices.dropFirst().reversed() { order.swapAt(last, random.below(last + 1)) }
    var pairs = [Int](repeating: 0, count: lanes)
    var placed = [[Int]](repeating: [], count: lanes)
    for stream in order {
      let fewest = pairs.indices.reduce(0) { pairs[$1] < pairs[$0] ? $1 : $0 }
      placed[fewest].append(stream)
      pairs[fewest] += table.pairs(of: stream)
    }
    return placed
  }

  @Test func theShuffleStaysTheSame() throws {
    let schedule = try Schedule(
      streams: streams([Int](repeating: 3, count: 8)), lanes: 2, chunk: 2, mode: .packed,
      traversal: .training(seed: 8))
    // Computed by a Python program from the definitions of Philox and the shuffle.
    #expect(
      try (0..<2).map { try pieces(schedule, lane: $0).joined().map(\.stream) } == [
        [0, 2, 5, 3], [4, 1, 7, 6],
      ])
    #expect(
      try (0..<2).map { try pieces(schedule, epoch: 1, lane: $0).joined().map(\.stream) } == [
        [5, 0, 6, 4], [2, 1, 3, 7],
      ])
  }

  @Test func autoPacksManyShortStreams() throws {
    func mode(_ table: StreamTable, lanes: Int, _ traversal: Traversal = .training(seed: 1)) throws
      -> ScheduleMode
    {
      try Schedule(streams: table, lanes: lanes, chunk: 4, mode: .auto, traversal: traversal).mode
    }
    let short = try streams([Int](repeating: 11, count: 64))
    #expect(try mode(short, lanes: 8) == .packed)
    // Three streams a lane.
    #expect(try mode(short, lanes: 17) == .contiguous)
    // One stream longer than an eighth of a lane's share.
    let oneLong = try streams([Int](repeating: 11, count: 64) + [40])
    #expect(try mode(oneLong, lanes: 8) == .contiguous)
    #expect(try mode(streams([1000]), lanes: 1) == .contiguous)
    // Evaluation asks for less: a stream for each lane, and none longer than a lane's share.
    #expect(try mode(short, lanes: 64, .evaluation) == .packed)
    #expect(try mode(short, lanes: 65, .evaluation) == .contiguous)
    #expect(try mode(oneLong, lanes: 16, .evaluation) == .packed)
    #expect(try mode(oneLong, lanes: 18, .evaluation) == .contiguous)
  }

  @Test func tooFewTargetsNameWhatWouldWork() throws {
    func message(_ lengths: [Int], lanes: Int, chunk: Int, _ mode: ScheduleMode, _ traversal: Traversal)
      -> String
    {
      do {
        _ = try Schedule(
          streams: streams(lengths), lanes: lanes, chunk: chunk, mode: mode, traversal: traversal)
        return "none"
      } catch { return "\(error)" }
    }
    let training = Traversal.training(seed: 1)
    #expect(message([101], lanes: 5, chunk: 20, .contiguous, training) == "none")
    #expect(
      message([101], lanes: 6, chunk: 20, .contiguous, training)
        == "100 targets can't fill 6 lanes of at least one chunk of 20; take at most 5 lanes, or a chunk of at most 16 (training.lanes, training.chunk)"
    )
    #expect(
      message([11], lanes: 6, chunk: 20, .contiguous, training)
        == "10 targets can't fill 6 lanes of at least one chunk of 20; take a chunk of at most 1 (training.lanes, training.chunk)"
    )
    #expect(
      message([100, 100], lanes: 3, chunk: 4, .packed, training)
        == "2 streams can't fill 3 lanes in packed mode; take contiguous mode, or at most 2 lanes (training.lanes)"
    )
    #expect(
      message([1, 1], lanes: 1, chunk: 1, .auto, .evaluation).contains("no stream has the 2 positions"))
    #expect(message([2], lanes: 8, chunk: 64, .auto, .evaluation) == "none")
  }

  @Test func `the lane with the fewest pairs is the one that a search finds`() throws {
    let table = try unevenStreams(500, longest: 20, seed: 7)
    for lanes in [1, 2, 5, 64, 77] {
      let schedule = try Schedule(
        streams: table, lanes: lanes, chunk: 3, mode: .packed, traversal: .evaluation)
      var expected = [[Int]](repeating: [], count: lanes)
      var loads = [Int](repeating: 0, count: lanes)
      for stream in 0..<table.count where table.pairs(of: stream) > 0 {
        let lane = try #require(loads.indices.min { loads[$0] < loads[$1] })
        expected[lane].append(stream)
        loads[lane] += table.pairs(of: stream)
      }
      for lane in 0..<lanes {
        let found = try pieces(schedule, lane: lane).joined().filter(\.resets).map(\.stream)
        #expect(found == expected[lane])
      }
    }
  }

  @Test func `offsets beyond 32 bits are exact, in the whole and in parts`() throws {
    let offsets = [0, 7, 1 << 32 - 1, 1 << 32, 1 << 32 + 5, 3 << 33, 3 << 33 + 2]
    let table = try StreamTable(offsets: offsets)
    #expect(Array(table.offsets) == offsets)
    #expect(Array(table.cut(to: 5..<1 << 33).offsets) == [5] + offsets[1...4] + [1 << 33])
    #expect(Array(table.cut(to: 1 << 32..<3 << 33).offsets) == Array(offsets[3...5]))
  }

  @Test func streamTablesAreChecked() {
    #expect(throws: DataError.self) { try StreamTable(offsets: []) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [0]) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [0, 3, 3]) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [0, 5, 3]) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [-1, 3]) }
  }
}
