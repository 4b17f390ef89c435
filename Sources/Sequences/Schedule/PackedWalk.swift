import CSupport
import Preconditions
import Random

/// A walk over an epoch in packed mode.
///
/// The streams are placed as they are needed. A lane is given a stream only while it has fewer pairs than the chunk's end,
/// so there is never more than one stream a lane that goes on in the next chunk, and an epoch is nowhere laid out.
struct PackedWalk: EpochWalk {
  private let streams: StreamTable
  private let steps: Int
  private let lanes: Range<Int>
  private var placement: Placement
  /// The order of the next epoch, shuffled while this one is played.
  private var upcoming: ShuffledStreams?
  /// The stream that was last placed on each lane.
  private var playing: [Int32]
  /// How many steps of the epoch lie behind.
  private var position = 0

  init(_ schedule: Schedule, lanes: Range<Int>, epoch: Int) {
    streams = schedule.streams
    steps = schedule.chunk
    self.lanes = lanes
    placement = Placement(schedule, epoch: epoch)
    upcoming = ShuffledStreams(schedule, epoch: epoch + 1)
    playing = [Int32](repeating: 0, count: lanes.count)
  }

  var isAtEnd: Bool { placement.isComplete && placement.longest <= position }

  mutating func skip(chunks: Int) -> Bool {
    position = chunks * steps
    placement.advance(to: position) { lane, stream, _, _ in
      if lanes.contains(lane) { playing[lane - lanes.lowerBound] = Int32(stream) }
    }
    return !placement.isComplete || placement.longest > position - steps
  }

  mutating func next(_ body: (_ lane: Int, _ piece: Piece) throws -> Void) rethrows -> (
    steps: Int, ofSource: Int
  ) {
    let behind = position
    position += steps
    for lane in lanes where placement.pairs(onLane: lane) > behind {
      let stream = Int(playing[lane - lanes.lowerBound])
      let left = placement.pairs(onLane: lane) - behind
      let offset = streams.pairs(of: stream) - left
      try body(
        lane,
        Piece(
          steps: 0..<min(left, steps), stream: stream, offset: offset, start: streams.offset(stream) + offset,
          resets: offset == 0))
    }
    let unplaced = placement.unplacedStreams
    try placement.advance(to: position) { lane, stream, start, pairs in
      guard lanes.contains(lane) else { return }
      playing[lane - lanes.lowerBound] = Int32(stream)
      let first = start - behind
      try body(
        lane,
        Piece(
          steps: first..<min(first + pairs, steps), stream: stream, offset: 0, start: streams.offset(stream),
          resets: true))
    }
    // In step with the streams that are placed, so that the next order is ready at the end, and no chunk waits for it.
    upcoming?.shuffle(share: unplaced - placement.unplacedStreams, of: unplaced)
    return (steps, 0)
  }

  mutating func beginEpoch(_ epoch: Int) {
    // Something is left where the walk began behind the last placement.
    upcoming?.shuffle(share: 1, of: 1)
    placement.restart(&upcoming)
    upcoming?.restart(streams, epoch: epoch + 1)
    position = 0
  }
}

/// Streams that are placed one after another, each on the lane that has the fewest pairs so far.
struct Placement: Sendable {
  private let streams: StreamTable
  /// nil where the order is the natural one.
  private var order: ShuffledStreams?
  /// The number of the next stream in the order.
  private var next = 0
  private var unplacedPairs: Int
  private var loads: LaneLoads
  /// The most pairs that a lane has.
  private(set) var longest = 0

  init(_ schedule: Schedule, epoch: Int) {
    streams = schedule.streams
    order = ShuffledStreams(schedule, epoch: epoch)
    order?.shuffle(share: 1, of: 1)
    unplacedPairs = streams.pairs
    loads = LaneLoads(lanes: schedule.lanes, pairs: streams.pairs)
  }

  /// Begins anew, in another order; hands back the old one.
  mutating func restart(_ order: inout ShuffledStreams?) {
    swap(&self.order, &order)
    next = 0
    unplacedPairs = streams.pairs
    loads.clear()
    longest = 0
  }

  /// Whether all streams are placed.
  var isComplete: Bool { unplacedPairs == 0 }

  /// How many are not yet placed; those without pairs may be among them.
  var unplacedStreams: Int { (order?.count ?? streams.count) - next }

  /// The pairs placed on a lane so far.
  func pairs(onLane lane: Int) -> Int { loads.pairs(onLane: lane) }

  /// Places streams until every lane has `end` pairs, or all streams are placed. `body` is told each one's lane, its
  /// number, the pairs before it on the lane, and its own.
  @inline(__always)
  mutating func advance(
    to end: Int, _ body: (_ lane: Int, _ stream: Int, _ start: Int, _ pairs: Int) throws -> Void
  ) rethrows {
    while !isComplete, loads.fewest < end {
      let stream = order?.take(next, from: streams) ?? next
      next += 1
      let pairs = streams.pairs(of: stream)
      guard pairs > 0 else { continue }
      let (lane, start) = loads.place(pairs: pairs)
      unplacedPairs -= pairs
      longest = max(longest, start + pairs)
      try body(lane, stream, start, pairs)
    }
  }
}

/// The streams with pairs in the order in which an epoch of training takes them.
struct ShuffledStreams: Sendable {
  private let key: RandomKey
  private var random: RandomStream
  private var streams: [Int32]
  /// How many at the front have not been drawn yet.
  private var undrawn: Int

  /// All streams in natural order, to be shuffled; nil where the schedule shuffles none.
  init?(_ schedule: Schedule, epoch: Int) {
    guard case .training(let seed) = schedule.traversal else { return nil }
    key = RandomKey(seed: seed, purpose: .shuffling)
    random = RandomStream(key)
    streams = [Int32](repeating: 0, count: schedule.playableStreams)
    undrawn = 0
    restart(schedule.streams, epoch: epoch)
  }

  /// Puts them back in natural order, to be shuffled for another epoch.
  mutating func restart(_ table: StreamTable, epoch: Int) {
    random = RandomStream(
      key, at: (UInt32(truncatingIfNeeded: epoch), UInt32(truncatingIfNeeded: epoch >> 32), 0))
    undrawn = streams.count
    var place = 0
    for stream in 0..<table.count where table.pairs(of: stream) > 0 {
      streams[place] = Int32(stream)
      place += 1
    }
  }

  var count: Int { streams.count }

  /// The stream at a place, where one place after another is taken. Its offsets and those of its neighbours in the order
  /// lie anywhere in the table: they are fetched ahead, since each would be waited for on its own.
  @inline(__always)
  func take(_ place: Int, from table: StreamTable) -> Int {
    let ahead = place + 16
    if ahead < streams.count { table.prefetch(Int(streams[ahead])) }
    return Int(streams[place])
  }

  /// Draws `part` of `whole` equal parts of what has not been drawn yet.
  mutating func shuffle(share part: Int, of whole: Int) {
    guard part > 0 else { return }
    let rest = undrawn - (undrawn * part + whole - 1) / whole
    // Fisher and Yates, written out: the standard library does not promise that its order stays the same.
    // The places of some are drawn before they are swapped, and fetched meanwhile: they lie anywhere.
    streams.withUnsafeMutableBufferPointer { streams in
      withUnsafeTemporaryAllocation(of: Int.self, capacity: 32) { places in
        while undrawn > max(rest, 1) {
          let count = min(places.count, undrawn - max(rest, 1))
          for number in 0..<count {
            places[number] = random.below(undrawn - number)
            st_prefetch(streams.baseAddress.map { $0 + places[number] })
          }
          for place in places[..<count] {
            undrawn -= 1
            streams.swapAt(undrawn, place)
          }
        }
      }
    }
  }
}

/// The pairs on each lane, as a tournament: the winner is the lane with the fewest, the lowest of equals.
struct LaneLoads: Sendable {
  /// Those of node n's children 2 n and 2 n + 1 the smaller; the leaves are the lanes. A lane's key is its pairs and,
  /// in the lowest bits, its number.
  private var keys: [Int]
  private let lanes: Int
  private let leaves: Int
  private let bits: Int

  /// Lanes without pairs, to be given `pairs` in all.
  init(lanes: Int, pairs: Int) {
    self.lanes = lanes
    bits = lanes == 1 ? 0 : Int.bitWidth - (lanes - 1).leadingZeroBitCount
    leaves = 1 << bits
    precondition(pairs.leadingZeroBitCount > bits + 1, "\(pairs) pairs on \(lanes) lanes are too many")
    keys = [Int](repeating: .max, count: 2 * leaves)
    clear()
  }

  mutating func clear() {
    for lane in 0..<lanes { keys[leaves + lane] = lane }
    for node in (1..<leaves).reversed() { keys[node] = min(keys[2 * node], keys[2 * node + 1]) }
  }

  /// The pairs of the lane that has the fewest.
  var fewest: Int { keys[1] >> bits }

  func pairs(onLane lane: Int) -> Int { keys[leaves + lane] >> bits }

  /// Gives pairs to the lane that has the fewest; returns which it is, and how many it had.
  @inline(__always)
  mutating func place(pairs: Int) -> (lane: Int, start: Int) {
    // One check of the array's owner for all of its levels.
    keys.withUnsafeMutableBufferPointer { keys in
      let key = keys[1]
      let lane = key & (leaves - 1)
      var node = leaves + lane
      var winner = key + pairs << bits
      keys[node] = winner
      while node > 1 {
        winner = min(winner, keys[node ^ 1])
        node >>= 1
        keys[node] = winner
      }
      return (lane, key >> bits)
    }
  }
}
