import CKernels
import Chunks

/// The keys and values of each lane's last M positions, carried from chunk to chunk.
///
/// A ring: a new position takes the slot of the oldest, so that a chunk costs as many copies as it has steps. What a chunk
/// replaces is kept for its backward pass. No gradient reaches the memory: it is of an earlier chunk.
///
/// Places count from the oldest position that the chunk's first query may see: those below M are in the memory, the others in
/// the chunk.
final class AttentionMemory {
  /// M.
  let size: Int

  private let width: Int
  /// Slot i of a lane is the columns from i W on. [B, M W]
  private let keys: Matrix
  private let values: Matrix
  /// How many of the last positions are of the lane's stream, up to M. [B, 1]
  private let count: Matrix
  private let enteringCount: Matrix
  /// The slot that is written next: that of the oldest position. [B, 1]
  private let next: Matrix
  private let enteringNext: Matrix
  /// What the chunk has replaced, the oldest first. [B, min(M, T) W]
  private let replacedKeys: Matrix
  private let replacedValues: Matrix
  private var replaced = 0

  /// Memory of `size` positions of `width` columns, whose states are named `name`.k, .v, .count and .next.
  init(_ builder: Builder, name: String, size: Int, width: Int) {
    let (lanes, most) = (builder.shape.lanes, min(size, builder.shape.steps))
    self.size = size
    self.width = width
    replacedKeys = builder.floats(lanes, most * width)
    replacedValues = builder.floats(lanes, most * width)
    enteringCount = builder.floats(lanes, 1)
    enteringNext = builder.floats(lanes, 1)
    (keys, values) = (builder.floats(lanes, size * width), builder.floats(lanes, size * width))
    (count, next) = (builder.floats(lanes, 1), builder.floats(lanes, 1))
    func carry(
      _ letter: String, _ values: Matrix, entering: Matrix, lookAtChanges: (() -> Int?)? = nil
    ) {
      builder.carry(
        CarriedState(
          name: "\(name).\(letter)", values: values, entering: entering, gradient: builder.floats(lanes, 0),
          lookAtChanges: lookAtChanges))
    }
    for (letter, ring, entering) in [("k", keys, replacedKeys), ("v", values, replacedValues)] {
      carry(letter, ring, entering: entering) { [next] in
        Self.firstNonFinite(in: ring, slots: most, before: next, width: width)
      }
    }
    carry("count", count, entering: enteringCount)
    carry("next", next, entering: enteringNext)
  }

  /// Where the last slots of a ring that were written hold a value that is not finite, if they do. A ring may be far longer
  /// than a chunk.
  private static func firstNonFinite(in ring: Matrix, slots: Int, before next: Matrix, width: Int) -> Int? {
    let size = ring.columns / width
    for lane in 0..<ring.rows {
      let end = whole(next[lane][0], atMost: size - 1) + size
      for slot in end - slots..<end {
        let column = slot % size * width
        let element = st_first_non_finite(width, ring[lane] + column)
        if element >= 0 { return lane * ring.columns + column + element }
      }
    }
    return nil
  }

  /// Takes in the keys and values of a chunk of `steps` steps, [T B, W] each.
  func take(_ keys: Matrix, _ values: Matrix, steps: Int) {
    enteringCount.copy(from: count)
    enteringNext.copy(from: next)
    replaced = min(size, steps)
    for lane in 0..<count.rows {
      for place in 0..<replaced {
        let (from, to) = (slot(place, lane) * width, place * width)
        (replacedKeys[lane] + to).update(from: self.keys[lane] + from, count: width)
        (replacedValues[lane] + to).update(from: self.values[lane] + from, count: width)
      }
      for t in steps - replaced..<steps {
        let (to, row) = (slot(t, lane) * width, t * count.rows + lane)
        (self.keys[lane] + to).update(from: keys[row], count: width)
        (self.values[lane] + to).update(from: values[row], count: width)
      }
      next[lane][0] = Float(slot(steps, lane))
    }
  }

  /// How many places of the memory that entered are of the lane's stream: the last ones.
  func known(_ lane: Int) -> Int { whole(enteringCount[lane][0], atMost: size) }

  /// Says how many of the positions until the chunk's end are of the lane's stream.
  func setKnown(_ positions: Int, lane: Int) { count[lane][0] = Float(min(positions, size)) }

  /// Calls `body` with the memory's places from `first` on, some that follow each other at a time, and the keys and values of
  /// the first of them, W floats before the next. As they were when the chunk began.
  func forEachRun(
    lane: Int, from first: Int,
    _ body: (Range<Int>, _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>) -> Void
  ) {
    if first < replaced {
      body(
        first..<replaced, replacedKeys[lane] + first * width, replacedValues[lane] + first * width)
    }
    var place = max(first, replaced)
    while place < size {
      let slot = slot(place, lane)
      let end = min(size, place + size - slot)
      body(place..<end, keys[lane] + slot * width, values[lane] + slot * width)
      place = end
    }
  }

  /// The slot of a place, and of what is M places later.
  private func slot(_ place: Int, _ lane: Int) -> Int {
    (whole(enteringNext[lane][0], atMost: size - 1) + place) % size
  }
}

/// A whole number that a state holds; a checkpoint may hold anything.
func whole(_ value: Float, atMost most: Int) -> Int { value > 0 ? Int(min(value, Float(most))) : 0 }
