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

/// The pieces of every chunk of a lane.
func pieces(_ epoch: EpochSchedule, lane: Int) -> [[Piece]] {
  var walk = epoch.walk(lane: lane)
  return (0..<epoch.chunks).map { _ in
    var pieces: [Piece] = []
    walk.next { pieces.append($0) }
    return pieces
  }
}

@Suite struct ScheduleTests {
  @Test func contiguousLanesCutThePairsIntoEqualParts() throws {
    // Streams a (tokens 0 to 3), b (4), c (5 to 10): the pairs are a0 a1 a2 c0 c1 c2 c3 c4, two to a chunk.
    let schedule = try Schedule(
      streams: streams([4, 1, 6]), lanes: 2, chunk: 3, mode: .contiguous, traversal: .training(seed: 1))
    let epoch = schedule.epoch(0)
    #expect(epoch.chunks == 2)
    #expect(
      pieces(epoch, lane: 0) == [
        [Piece(steps: 0..<3, stream: 0, offset: 0, start: 0, resets: true)],
        [Piece(steps: 0..<1, stream: 2, offset: 0, start: 5, resets: true)],
      ])
    // The second lane begins inside stream c: reset all the same.
    #expect(
      pieces(epoch, lane: 1) == [
        [Piece(steps: 0..<3, stream: 2, offset: 1, start: 6, resets: true)],
        [Piece(steps: 0..<1, stream: 2, offset: 4, start: 9, resets: false)],
      ])
  }

  @Test func trainingDropsWhatDoesNotFillEqualLanesAndEvaluationDoesNot() throws {
    let table = try streams([12])
    let training = try Schedule(
      streams: table, lanes: 3, chunk: 2, mode: .contiguous, traversal: .training(seed: 1))
    #expect((0..<3).map { training.epoch(0).pairs(onLane: $0) } == [3, 3, 3])
    let evaluation = try Schedule(
      streams: table, lanes: 3, chunk: 2, mode: .contiguous, traversal: .evaluation)
    #expect(
      (0..<3).map { pieces(evaluation.epoch(0), lane: $0).joined().filter(\.counts).map(\.start) } == [
        [0, 2], [4, 6], [8, 10],
      ])
  }

  @Test func packedStreamsGoWholeToTheLaneWithTheFewestPairs() throws {
    // Pairs 4, 2, 1, 3, 2 in natural order: lanes get (4), (2, 1), then 3 to lane 1, then 2 to lane 0.
    let schedule = try Schedule(
      streams: streams([5, 3, 2, 4, 3]), lanes: 2, chunk: 4, mode: .packed, traversal: .evaluation)
    let epoch = schedule.epoch(0)
    #expect(epoch.chunks == 2)
    #expect(
      pieces(epoch, lane: 0) == [
        [Piece(steps: 0..<4, stream: 0, offset: 0, start: 0, resets: true)],
        [Piece(steps: 0..<2, stream: 4, offset: 0, start: 14, resets: true)],
      ])
    #expect(
      pieces(epoch, lane: 1) == [
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
    let epoch = try Schedule(streams: table, lanes: lanes, chunk: 7, mode: mode, traversal: .evaluation)
      .epoch(0)
    try expectSound(epoch, of: table, lanes: lanes, chunk: 7)
    let played = playedPairs(epoch, lanes: lanes)
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
    let leads = (0..<4).map { lane in
      pieces(schedule.epoch(0), lane: lane).joined().filter { !$0.counts }.map {
        $0.start..<$0.start + $0.steps.count
      }
    }
    #expect(leads == [[], [13..<255], [252..<508], [504..<760]])
    #expect(schedule.epoch(0).chunks == 2)
  }

  @Test(arguments: [ScheduleMode.contiguous, .packed], [1, 3, 8])
  func trainingPlaysNoPairTwice(mode: ScheduleMode, lanes: Int) throws {
    let table = try unevenStreams(60, longest: 40, seed: 4)
    let schedule = try Schedule(
      streams: table, lanes: lanes, chunk: 7, mode: mode, traversal: .training(seed: 9))
    for number in 0..<2 {
      let epoch = schedule.epoch(number)
      try expectSound(epoch, of: table, lanes: lanes, chunk: 7)
      let played = playedPairs(epoch, lanes: lanes)
      #expect(Set(played).count == played.count)
      #expect(played.count == (mode == .packed ? table.pairs : table.pairs / lanes * lanes))
    }
  }

  /// The starts of all pairs that count.
  private func playedPairs(_ epoch: EpochSchedule, lanes: Int) -> [Int] {
    (0..<lanes).flatMap { lane in
      pieces(epoch, lane: lane).joined().filter(\.counts).flatMap { $0.start..<$0.start + $0.steps.count }
    }
  }

  /// Pieces fill every chunk but a lane's last without gaps, stay inside their streams, go on where the one before
  /// stopped or at a stream's first pair, and reset where they do not go on.
  private func expectSound(_ epoch: EpochSchedule, of table: StreamTable, lanes: Int, chunk: Int) throws {
    for lane in 0..<lanes {
      let chunks = pieces(epoch, lane: lane)
      let pairs = chunks.map { $0.reduce(0) { $0 + $1.steps.count } }
      #expect(pairs.reduce(0, +) == epoch.pairs(onLane: lane))
      for (index, count) in pairs.enumerated() {
        #expect(count == min(chunk, epoch.pairs(onLane: lane) - index * chunk) || count == 0)
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

  @Test(arguments: [ScheduleMode.contiguous, .packed])
  func aWalkFromTheMiddleGoesOnAsTheWholeWalkDoes(mode: ScheduleMode) throws {
    let table = try unevenStreams(40, longest: 30, seed: 5)
    let epoch = try Schedule(streams: table, lanes: 3, chunk: 5, mode: mode, traversal: .training(seed: 2))
      .epoch(3)
    for lane in 0..<3 {
      let whole = pieces(epoch, lane: lane)
      for chunk in 0..<epoch.chunks {
        var walk = epoch.walk(lane: lane, from: chunk)
        var found: [Piece] = []
        walk.next { found.append($0) }
        #expect(found == whole[chunk])
        let cursor = epoch.cursor(lane: lane, chunk: chunk)
        #expect(cursor?.stream == whole[chunk].first?.stream)
        #expect(cursor?.offset == whole[chunk].first?.offset)
      }
      #expect(epoch.cursor(lane: lane, chunk: epoch.chunks) == nil)
      #expect(epoch.cursor(lane: lane, chunk: .max) == nil)
    }
  }

  @Test func epochsAndSeedsShuffleDifferentlyAndRepeatably() throws {
    let table = try unevenStreams(40, longest: 30, seed: 6)
    func order(seed: UInt64, epoch: Int) throws -> [Int] {
      let schedule = try Schedule(
        streams: table, lanes: 2, chunk: 5, mode: .packed, traversal: .training(seed: seed))
      return pieces(schedule.epoch(epoch), lane: 0).joined().filter(\.resets).map(\.stream)
    }
    let first = try order(seed: 1, epoch: 0)
    #expect(try order(seed: 1, epoch: 0) == first)
    #expect(try order(seed: 1, epoch: 1) != first)
    #expect(try order(seed: 2, epoch: 0) != first)
  }

  @Test func theShuffleStaysTheSame() throws {
    let schedule = try Schedule(
      streams: streams([Int](repeating: 3, count: 8)), lanes: 2, chunk: 2, mode: .packed,
      traversal: .training(seed: 8))
    // Computed by a Python program from the definitions of Philox and the shuffle.
    #expect(
      (0..<2).map { pieces(schedule.epoch(0), lane: $0).joined().map(\.stream) } == [
        [0, 2, 5, 3], [4, 1, 7, 6],
      ])
    #expect(
      (0..<2).map { pieces(schedule.epoch(1), lane: $0).joined().map(\.stream) } == [
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
        == "100 targets can't fill 6 lanes of at least one chunk of 20; take at most 5 lanes, or a chunk of at most 16"
    )
    #expect(
      message([11], lanes: 6, chunk: 20, .contiguous, training)
        == "10 targets can't fill 6 lanes of at least one chunk of 20; take a chunk of at most 1"
    )
    #expect(
      message([100, 100], lanes: 3, chunk: 4, .packed, training)
        == "2 streams can't fill 3 lanes in packed mode; take contiguous mode, or at most 2 lanes")
    #expect(message([1, 1], lanes: 1, chunk: 1, .auto, .evaluation).contains("no stream has the two tokens"))
    #expect(message([2], lanes: 8, chunk: 64, .auto, .evaluation) == "none")
  }

  @Test func streamTablesAreChecked() {
    #expect(throws: DataError.self) { try StreamTable(offsets: []) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [0]) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [0, 3, 3]) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [0, 5, 3]) }
    #expect(throws: DataError.self) { try StreamTable(offsets: [-1, 3]) }
  }
}
