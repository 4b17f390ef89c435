import Preconditions

/// A walk over the chunks of some of a schedule's lanes, epoch after epoch without end.
///
/// It keeps a few numbers a lane, and in packed training the orders of two epochs, which take 4 bytes a stream each, as do two orders of whole streams.
/// Once it is made it allocates nothing.
package struct ScheduleWalk: Sendable {
  /// The chunk that comes next: its epoch, from 0, and its number there; behind an epoch's last chunk, their number.
  package private(set) var position: (epoch: Int, chunk: Int)
  private var walk: any EpochWalk

  /// - Throws: `DataError` where the epoch has not that many chunks.
  init(_ schedule: Schedule, lanes: Range<Int>, epoch: Int, chunk: Int) throws {
    precondition(
      lanes.lowerBound >= 0 && lanes.upperBound <= schedule.lanes && !lanes.isEmpty, "lanes \(lanes)")
    guard epoch >= 0, chunk >= 0 else { throw DataError("there is no chunk \(chunk) of epoch \(epoch)") }
    position = (epoch, chunk)
    walk =
      switch schedule.mode {
      case .packed: PackedWalk(schedule, lanes: lanes, epoch: epoch)
      case .whole: WholeWalk(schedule, lanes: lanes, epoch: epoch)
      case .auto, .contiguous: ContiguousWalk(schedule, lanes: lanes)
      }
    // No epoch has more chunks than pairs.
    guard chunk <= schedule.streams.pairs, walk.skip(chunks: chunk) else {
      throw DataError(
        "there is no chunk \(chunk) in epoch \(epoch), which has \(schedule.chunks(inEpoch: epoch))")
    }
  }

  /// Calls `body` with the pieces of the next chunk, those of each lane in their order. The steps behind a lane's last
  /// piece are padding: nothing but padding where the lane has come to its end.
  ///
  /// - Returns: The chunk's epoch, its number there, its steps, and those of its source: 0 where streams are no pairs.
  @discardableResult
  package mutating func next(_ body: (_ lane: Int, _ piece: Piece) throws -> Void) rethrows -> (
    epoch: Int, chunk: Int, steps: Int, sourceSteps: Int
  ) {
    if walk.isAtEnd {
      walk.beginEpoch(position.epoch + 1)
      position = (position.epoch + 1, 0)
    }
    let current = position
    position.chunk += 1
    let (steps, sourceSteps) = try walk.next(body)
    return (current.epoch, current.chunk, steps, sourceSteps)
  }
}

/// What a mode makes of an epoch: a walk over its chunks, and on to the next epoch.
protocol EpochWalk: Sendable {
  /// Whether the epoch has no further chunk.
  var isAtEnd: Bool { get }
  /// Goes on behind the epoch's first chunks, from its beginning; returns false where there are fewer.
  mutating func skip(chunks: Int) -> Bool
  /// See `ScheduleWalk.next`; returns the chunk's steps and those of its source.
  mutating func next(_ body: (_ lane: Int, _ piece: Piece) throws -> Void) rethrows -> (
    steps: Int, ofSource: Int
  )
  /// Goes to the beginning of the epoch that follows.
  mutating func beginEpoch(_ epoch: Int)
}
