import Preconditions
import Random

/// A walk over an epoch of whole streams: each lane plays one stream a chunk.
///
/// The streams stand in descending order of their rounded lengths, for training those of one length shuffled; as many as
/// there are lanes make a chunk, so that lanes are left over among the shortest only. The chunks of training are shuffled.
///
/// Pairs stand in descending order of their sources' lengths; those of one such length by their own, descending for one
/// length of sources and ascending for the next, so that streams of like length meet where the length of sources changes.
struct WholeWalk: EpochWalk {
  private let schedule: Schedule
  private let lanes: Range<Int>
  private var shuffled: ShuffledStreams?
  /// The streams, chunk by chunk.
  private var streams: [Int32]
  /// The order of the chunks.
  private var chunks: [Int32]
  private var next = 0

  init(_ schedule: Schedule, lanes: Range<Int>, epoch: Int) {
    self.schedule = schedule
    self.lanes = lanes
    shuffled = ShuffledStreams(schedule, epoch: epoch)
    streams = [Int32](repeating: 0, count: schedule.playableStreams)
    chunks = [Int32](repeating: 0, count: schedule.wholeChunks)
    arrange(epoch: epoch)
  }

  var isAtEnd: Bool { next == chunks.count }

  mutating func skip(chunks: Int) -> Bool {
    guard chunks <= self.chunks.count else { return false }
    next = chunks
    return true
  }

  mutating func next(_ body: (_ lane: Int, _ piece: Piece) throws -> Void) rethrows -> (
    steps: Int, ofSource: Int
  ) {
    let table = schedule.streams
    let first = Int(chunks[next]) * schedule.lanes
    let end = min(first + schedule.lanes, streams.count)
    next += 1
    for lane in lanes where first + lane < end {
      let stream = Int(streams[first + lane])
      try body(
        lane,
        Piece(
          steps: 0..<table.pairs(of: stream), stream: stream, offset: 0, start: table.offset(stream),
          resets: true))
    }
    let all = streams[first..<end]
    let steps = all.reduce(1) { max($0, table.pairs(of: Int($1))) }
    let ofSource = table.arePairs ? all.reduce(1) { max($0, table.source(of: Int($1)).count) } : nil
    return (WholeLength.rounded(up: steps), ofSource.map { WholeLength.rounded(up: $0) } ?? 0)
  }

  mutating func beginEpoch(_ epoch: Int) {
    shuffled?.restart(schedule.streams, epoch: epoch)
    arrange(epoch: epoch)
    next = 0
  }

  /// Puts the streams in order, and the chunks.
  private mutating func arrange(epoch: Int) {
    shuffled?.shuffle(share: 1, of: 1)
    let table = schedule.streams
    let ranks = LengthRanks(schedule)
    func rank(_ stream: Int) -> Int { ranks.rank(of: stream) }
    // Where the next stream of each rank goes: a counting sort.
    var places = [Int](repeating: 0, count: ranks.count + 1)
    for stream in 0..<table.count where table.pairs(of: stream) > 0 { places[rank(stream) + 1] += 1 }
    for index in 1..<places.count { places[index] += places[index - 1] }
    func put(_ stream: Int) {
      let index = rank(stream)
      streams[places[index]] = Int32(stream)
      places[index] += 1
    }
    if let shuffled {
      for place in 0..<shuffled.count { put(shuffled.take(place, from: table)) }
    } else {
      for stream in 0..<table.count where table.pairs(of: stream) > 0 { put(stream) }
    }
    for chunk in chunks.indices { chunks[chunk] = Int32(chunk) }
    guard case .training(let seed) = schedule.traversal else { return }
    // The last number tells the order of the chunks from that of the streams.
    var random = RandomStream(
      RandomKey(seed: seed, purpose: .shuffling),
      at: (UInt32(truncatingIfNeeded: epoch), UInt32(truncatingIfNeeded: epoch >> 32), 1))
    for undrawn in stride(from: chunks.count, to: 1, by: -1) {
      chunks.swapAt(undrawn - 1, random.below(undrawn))
    }
  }
}

/// The place of streams in the order of an epoch, by their lengths alone.
private struct LengthRanks {
  private let table: StreamTable
  /// The numbers of the longest rounded length of a stream and, of pairs, of a source.
  private let most: (stream: Int, source: Int)

  init(_ schedule: Schedule) {
    table = schedule.streams
    most = (
      WholeLength.index(of: schedule.chunk), table.arePairs ? WholeLength.index(of: schedule.sourceSteps) : 0
    )
  }

  /// The number of ranks.
  var count: Int { (most.stream + 1) * (most.source + 1) }

  /// The rank of a stream, from 0 for the longest.
  func rank(of stream: Int) -> Int {
    let length = WholeLength.index(of: table.pairs(of: stream))
    guard table.arePairs else { return most.stream - length }
    let source = most.source - WholeLength.index(of: table.source(of: stream).count)
    return source * (most.stream + 1) + (source % 2 == 0 ? most.stream - length : length)
  }
}

/// The lengths that chunks of whole streams may have: 1 to 16, then 18, 20, ... 32, 36, ... 64, 72: eight an octave, so that
/// at most a ninth of a stream's steps are padding, and chunks of streams of any lengths have few.
package enum WholeLength {
  /// The smallest such length that is not below `length`.
  package static func rounded(up length: Int) -> Int {
    let index = index(of: length)
    return index < 16 ? index + 1 : (index % 8 + 9) << (index / 8 - 1)
  }

  /// The number of that length in their order, from 0.
  static func index(of length: Int) -> Int {
    precondition(length > 0, "a stream that is played has a step")
    // The three bits behind the leading one, and how many there are behind those.
    let last = length - 1
    let shift = max(0, Int.bitWidth - last.leadingZeroBitCount - 4)
    return 8 * shift + last >> shift
  }
}

extension Schedule {
  /// The chunks of an epoch of whole streams.
  var wholeChunks: Int { (playableStreams + lanes - 1) / lanes }
}
