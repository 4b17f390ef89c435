/// A walk over an epoch in contiguous mode. All epochs are the same.
struct ContiguousWalk: EpochWalk {
  private let schedule: Schedule
  private let lanes: Range<Int>
  private var walks: [LaneWalk] = []
  private var chunksLeft = 0

  init(_ schedule: Schedule, lanes: Range<Int>) {
    self.schedule = schedule
    self.lanes = lanes
    _ = skip(chunks: 0)
  }

  var isAtEnd: Bool { chunksLeft == 0 }

  mutating func skip(chunks: Int) -> Bool {
    let all = schedule.contiguousChunks
    guard chunks <= all else { return false }
    chunksLeft = all - chunks
    walks.removeAll(keepingCapacity: true)
    for lane in lanes { walks.append(LaneWalk(schedule, lane: lane, from: chunks)) }
    return true
  }

  mutating func beginEpoch(_: Int) { _ = skip(chunks: 0) }

  mutating func next(_ body: (_ lane: Int, _ piece: Piece) throws -> Void) rethrows -> (
    steps: Int, ofSource: Int
  ) {
    chunksLeft -= 1
    for (index, lane) in lanes.enumerated() { try walks[index].next(of: schedule) { try body(lane, $0) } }
    return (schedule.chunk, 0)
  }
}

/// A walk along one lane in contiguous mode.
private struct LaneWalk {
  private var stream: Int
  private var offset: Int
  private var isAtStart: Bool
  private var leadIn: Int
  private var remaining: Int

  init(_ schedule: Schedule, lane: Int, from chunk: Int) {
    let (leadIn, pairs) = schedule.contiguousPairs(ofLane: lane)
    let streams = schedule.streams
    let played = min(chunk * schedule.chunk, pairs.count)
    // A lane that has come to its end, or has no pairs, stands nowhere.
    stream = played < pairs.count ? streams.stream(ofPair: pairs.lowerBound + played) : streams.count
    offset = pairs.lowerBound + played - streams.firstPair(of: stream)
    isAtStart = played == 0
    self.leadIn = max(0, leadIn - played)
    remaining = pairs.count - played
  }

  mutating func next(of schedule: Schedule, _ body: (Piece) throws -> Void) rethrows {
    let streams = schedule.streams
    var step = 0
    while step < schedule.chunk, remaining > 0 {
      let left = streams.pairs(of: stream) - offset
      if left == 0 {
        stream += 1
        offset = 0
        continue
      }
      let counts = leadIn == 0
      let count = min(left, schedule.chunk - step, counts ? remaining : leadIn)
      try body(
        Piece(
          steps: step..<step + count, stream: stream, offset: offset, start: streams.offset(stream) + offset,
          resets: offset == 0 || isAtStart, counts: counts))
      isAtStart = false
      if !counts { leadIn -= count }
      step += count
      offset += count
      remaining -= count
    }
  }
}

extension Schedule {
  /// The pairs, by their numbers, that a lane plays in contiguous mode, the first of which may only lead in to its own.
  fileprivate func contiguousPairs(ofLane lane: Int) -> (leadIn: Int, all: Range<Int>) {
    let share = streams.pairs / lanes
    guard traversal == .evaluation else { return (0, lane * share..<(lane + 1) * share) }
    let extra = streams.pairs % lanes
    let start = lane * share + min(lane, extra)
    let end = start + share + (lane < extra ? 1 : 0)
    guard start < end else { return (0, start..<end) }
    let leadIn = min(Self.leadIn, start - streams.firstPair(of: streams.stream(ofPair: start)))
    return (leadIn, start - leadIn..<end)
  }

  /// The chunks of an epoch in contiguous mode.
  var contiguousChunks: Int {
    let longest = (0..<lanes).reduce(0) { max($0, contiguousPairs(ofLane: $1).all.count) }
    return (longest + chunk - 1) / chunk
  }
}
