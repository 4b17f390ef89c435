import Random

/// A part of a chunk on one lane: successive pairs of one stream.
public struct Piece: Sendable, Equatable {
  /// The steps of the chunk in which they are played.
  public let steps: Range<Int>
  /// The stream's number in the split.
  public let stream: Int
  /// How many of the stream's pairs lie before.
  public let offset: Int
  /// The first input's place on the axis of tokens; the targets lie one further.
  public let start: Int
  /// Whether the lane's state is reset before the first of the steps.
  public let resets: Bool
  /// Whether the pairs count, rather than only lead in to those that do.
  public let counts: Bool

  /// These pairs of a stream.
  public init(steps: Range<Int>, stream: Int, offset: Int, start: Int, resets: Bool, counts: Bool = true) {
    self.steps = steps
    self.stream = stream
    self.offset = offset
    self.start = start
    self.resets = resets
    self.counts = counts
  }
}

/// Which pairs each lane plays in one epoch. See `Schedule` for the rules.
public struct EpochSchedule: Sendable {
  /// The number of chunks, the same on all lanes.
  public let chunks: Int
  fileprivate let schedule: Schedule
  private let plan: Plan

  fileprivate enum Plan: Sendable {
    case contiguous
    /// Lane l plays the streams order[first[l]..<first[l + 1]], pairs[l] pairs in all.
    case packed(order: [Int32], first: [Int], pairs: [Int])
  }

  init(_ schedule: Schedule, epoch: Int) {
    self.schedule = schedule
    plan = schedule.mode == .packed ? schedule.packed(epoch: epoch) : .contiguous
    let longest =
      switch plan {
      case .contiguous:
        (0..<schedule.lanes).reduce(0) { max($0, schedule.contiguousPairs(ofLane: $1).all.count) }
      case .packed(_, _, let pairs): pairs.reduce(0, max)
      }
    chunks = (longest + schedule.chunk - 1) / schedule.chunk
  }

  /// How many pairs `lane` plays.
  public func pairs(onLane lane: Int) -> Int {
    switch plan {
    case .contiguous: schedule.contiguousPairs(ofLane: lane).all.count
    case .packed(_, _, let pairs): pairs[lane]
    }
  }

  /// A walk over the chunks of `lane`, the next of which is `chunk`.
  public func walk(lane: Int, from chunk: Int = 0) -> LaneWalk {
    precondition((0..<schedule.lanes).contains(lane) && chunk >= 0, "lane \(lane) of \(schedule.lanes)")
    let played = min(min(chunk, chunks) * schedule.chunk, pairs(onLane: lane))
    switch plan {
    case .contiguous:
      let (leadIn, pairs) = schedule.contiguousPairs(ofLane: lane)
      let streams = schedule.streams
      // A lane that has come to its end, or has no pairs, stands nowhere.
      let stream = played < pairs.count ? streams.stream(ofPair: pairs.lowerBound + played) : streams.count
      return LaneWalk(
        streams: streams, chunk: schedule.chunk, order: nil, index: stream,
        offset: pairs.lowerBound + played - streams.firstPair(of: stream), isAtStart: played == 0,
        leadIn: max(0, leadIn - played), remaining: pairs.count - played)
    case .packed(let order, let first, let pairs):
      var index = first[lane]
      var offset = played
      while index < first[lane + 1], offset >= schedule.streams.pairs(of: Int(order[index])) {
        offset -= schedule.streams.pairs(of: Int(order[index]))
        index += 1
      }
      return LaneWalk(
        streams: schedule.streams, chunk: schedule.chunk, order: order, index: index, offset: offset,
        isAtStart: played == 0, leadIn: 0, remaining: pairs[lane] - played)
    }
  }

  /// Where `lane` stands before `chunk`: the stream that it plays next and how many of its pairs lie behind; nil where
  /// the lane has come to its end.
  public func cursor(lane: Int, chunk: Int) -> (stream: Int, offset: Int)? {
    var walk = walk(lane: lane, from: chunk)
    var cursor: (stream: Int, offset: Int)?
    walk.next { piece in
      if cursor == nil { cursor = (piece.stream, piece.offset) }
    }
    return cursor
  }
}

/// A walk along one lane, chunk by chunk. It allocates nothing.
public struct LaneWalk: Sendable {
  fileprivate let streams: StreamTable
  fileprivate let chunk: Int
  /// The order of the streams; nil is the natural one.
  fileprivate let order: [Int32]?
  fileprivate var index: Int
  fileprivate var offset: Int
  fileprivate var isAtStart: Bool
  fileprivate var leadIn: Int
  fileprivate var remaining: Int

  /// Calls `body` with the pieces of the next chunk, in order. The steps behind the last piece are padding: nothing
  /// but padding where the lane has come to its end.
  public mutating func next(_ body: (Piece) throws -> Void) rethrows {
    var step = 0
    while step < chunk, remaining > 0 {
      let stream = order.map { Int($0[index]) } ?? index
      let left = streams.pairs(of: stream) - offset
      if left == 0 {
        index += 1
        offset = 0
        continue
      }
      let counts = leadIn == 0
      let count = min(left, chunk - step, counts ? remaining : leadIn)
      try body(
        Piece(
          steps: step..<step + count, stream: stream, offset: offset, start: streams.offsets[stream] + offset,
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

  /// The streams in the order in which an epoch places them, those without pairs left out.
  private func order(epoch: Int) -> [Int32] {
    var order: [Int32] = []
    order.reserveCapacity(streams.count)
    for stream in 0..<streams.count where streams.pairs(of: stream) > 0 { order.append(Int32(stream)) }
    guard case .training(let seed) = traversal else { return order }
    var random = RandomStream(
      RandomKey(seed: seed, purpose: .shuffling),
      at: (UInt32(truncatingIfNeeded: epoch), UInt32(truncatingIfNeeded: epoch >> 32), 0))
    // Fisher and Yates, written out: the standard library does not promise that its order stays the same.
    for last in stride(from: order.count - 1, to: 0, by: -1) { order.swapAt(last, random.below(last + 1)) }
    return order
  }

  /// Places each stream on the lane that has the fewest pairs so far.
  fileprivate func packed(epoch: Int) -> EpochSchedule.Plan {
    let order = order(epoch: epoch)
    var load = LaneLoad(lanes: lanes)
    let laneOf = order.map { Int32(load.place(pairs: streams.pairs(of: Int($0)))) }
    // A stable counting sort by lane.
    var first = [Int](repeating: 0, count: lanes + 1)
    for lane in laneOf { first[Int(lane) + 1] += 1 }
    for lane in 0..<lanes { first[lane + 1] += first[lane] }
    var next = first
    var sorted = [Int32](repeating: 0, count: order.count)
    for (stream, lane) in zip(order, laneOf) {
      sorted[next[Int(lane)]] = stream
      next[Int(lane)] += 1
    }
    return .packed(order: sorted, first: first, pairs: load.pairs)
  }
}

/// Lanes in a binary heap, the one with the fewest pairs first and the lowest of equals.
private struct LaneLoad {
  private var heap: [Int]
  private(set) var pairs: [Int]

  init(lanes: Int) {
    heap = Array(0..<lanes)
    pairs = [Int](repeating: 0, count: lanes)
  }

  /// Adds a stream of so many pairs to the first lane, and says which that was.
  mutating func place(pairs count: Int) -> Int {
    let lane = heap[0]
    pairs[lane] += count
    var parent = 0
    while true {
      var least = parent
      for child in 2 * parent + 1...2 * parent + 2
      where child < heap.count && precedes(heap[child], heap[least]) {
        least = child
      }
      if least == parent { return lane }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private func precedes(_ a: Int, _ b: Int) -> Bool { (pairs[a], a) < (pairs[b], b) }
}
