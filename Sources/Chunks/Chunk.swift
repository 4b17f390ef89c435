import Preconditions

/// One chunk of some lanes: up to T steps of B lanes, in memory that is allocated once and reused.
///
/// All arrays are time-major, [T, B] or [T B, D]: position (t, b) is row t * B + b. Nothing is written before the first
/// chunk is.
package final class Chunk: @unchecked Sendable {
  /// The most steps that a chunk may have.
  package let capacity: Int
  /// B.
  package let lanes: Int
  /// The tracks that it holds.
  package let tracks: TrackSet
  /// Where streams are pairs, the source of each lane's, which has time steps of its own: from the first step on, then
  /// padding of weight 0.
  package let source: Chunk?
  /// T, the steps of this chunk: the capacity, unless it is shorter.
  package var steps: Int
  /// The weight of each position in the loss; 0 where none counts, and where the lane is padded. [T, B]
  package let weights: UnsafeMutablePointer<Float>
  /// 1 where the lane's state is reset before the step, else 0. [T, B]
  package let resets: UnsafeMutablePointer<UInt8>
  /// The stream of each lane's first position, by its number in the split; -1 where the lane has none. [B]
  package let streams: UnsafeMutableBufferPointer<Int>
  /// How many of that stream's positions lie before; -1 where the lane has none. [B]
  package let offsets: UnsafeMutableBufferPointer<Int>
  /// The chunk's epoch, from 0.
  package var epoch = 0
  /// The chunk's number in the epoch, from 0.
  package var index = 0
  /// The chunk's number in the run, from 0: part of the keys of random numbers.
  package var number: UInt32 = 0 {
    didSet { source?.number = number }
  }

  private let floats: Buffer<Float>
  private let flags: Buffer<UInt8>
  private let places: Buffer<Int>
  /// By role.
  private let storage: [Storage?]

  private enum Storage {
    case tokens(Buffer<Int32>)
    case frames(Buffer<Float>, width: Int)
  }

  /// Memory for chunks of up to `steps` steps of `lanes` lanes, with sources of up to `sourceSteps` where `tracks` have
  /// one.
  package init(steps: Int, sourceSteps: Int = 0, lanes: Int, tracks: TrackSet) {
    precondition(steps > 0 && lanes > 0, "a chunk has at least one step and one lane")
    capacity = steps
    self.lanes = lanes
    self.steps = steps
    self.tracks = tracks
    source = tracks.ofSource.map { Chunk(steps: sourceSteps, lanes: lanes, tracks: $0) }
    floats = Buffer(count: steps * lanes)
    flags = Buffer(count: steps * lanes)
    places = Buffer(count: 2 * lanes)
    weights = floats.base
    resets = flags.base
    streams = UnsafeMutableBufferPointer(start: places.base, count: lanes)
    offsets = UnsafeMutableBufferPointer(start: places.base + lanes, count: lanes)
    storage = TrackRole.allCases.map { role in
      switch tracks[role] {
      case .tokens: .tokens(Buffer(count: steps * lanes))
      case .frames(let width): .frames(Buffer(count: steps * lanes * width), width: width)
      case nil: nil
      }
    }
  }

  /// T B, the positions of this chunk.
  package var rows: Int { steps * lanes }

  /// The numbers of a track of tokens. [T, B]
  package func tokens(_ role: TrackRole) -> UnsafeMutablePointer<Int32> {
    guard case .tokens(let buffer) = storage[role.rawValue] else {
      preconditionFailure("the chunk has no tokens with the role \(role)")
    }
    return buffer.base
  }

  /// The values of a track of frames. [T B, D]
  package func frames(_ role: TrackRole) -> Matrix {
    guard case .frames(let buffer, let width) = storage[role.rawValue] else {
      preconditionFailure("the chunk has no frames with the role \(role)")
    }
    return Matrix(buffer.base, rows: rows, columns: width)
  }

  /// How much each unit of the targets counts; nil where all count the same. [T B, D]
  package var unitWeights: Matrix? { tracks[.weight] == nil ? nil : frames(.weight) }

  /// Makes a chunk of `steps` steps of it, all of them padding: tokens and frames 0, weight 0, state reset. The source
  /// stays as it is.
  package func clear(steps: Int) {
    precondition(steps > 0 && steps <= capacity, "a chunk of \(steps) steps, of at most \(capacity)")
    self.steps = steps
    weights.update(repeating: 0, count: rows)
    resets.update(repeating: 1, count: rows)
    places.base.update(repeating: -1, count: 2 * lanes)
    for track in storage {
      switch track {
      case .tokens(let buffer): buffer.base.update(repeating: 0, count: rows)
      case .frames(let buffer, let width): buffer.base.update(repeating: 0, count: rows * width)
      case nil: break
      }
    }
  }

  /// Makes this a chunk of some time steps of another one of the same lanes and tracks. The source stays as it is.
  package func copy(steps range: Range<Int>, of other: Chunk) {
    precondition(range.count <= capacity && range.upperBound <= other.steps, "steps \(range)")
    precondition(lanes == other.lanes && tracks == other.tracks, "the chunks hold the same")
    steps = range.count
    let first = range.lowerBound * lanes
    weights.update(from: other.weights + first, count: rows)
    resets.update(from: other.resets + first, count: rows)
    for (own, track) in zip(storage, other.storage) {
      switch (own, track) {
      case (.tokens(let own), .tokens(let values)): own.base.update(from: values.base + first, count: rows)
      case (.frames(let own, let width), .frames(let values, _)):
        own.base.update(from: values.base + first * width, count: rows * width)
      default: break
      }
    }
  }

  /// Makes one of its lanes that of another chunk of the same tracks, which has as many steps or fewer.
  package func copy(lane: Int, of other: Chunk, to place: Int) {
    precondition(other.steps <= steps && tracks == other.tracks, "the chunks hold the same")
    for t in 0..<other.steps {
      let (own, position) = (t * lanes + place, t * other.lanes + lane)
      weights[own] = other.weights[position]
      resets[own] = other.resets[position]
      for (own, track) in zip(storage, other.storage) {
        switch (own, track) {
        case (.tokens(let own), .tokens(let values)):
          own.base[t * lanes + place] = values.base[position]
        case (.frames(let own, let width), .frames(let values, _)):
          (own.base + (t * lanes + place) * width).update(from: values.base + position * width, count: width)
        default: break
        }
      }
    }
  }

  /// Whether the lane's state is reset before step t.
  @inlinable
  package func isReset(_ t: Int, lane: Int) -> Bool { resets[t * lanes + lane] != 0 }

  /// The positions that a lane has from the first step on, as far as they have weight.
  package func length(ofLane lane: Int) -> Int {
    (0..<steps).first { weights[$0 * lanes + lane] == 0 } ?? steps
  }

  /// Whether the state of any of these lanes is reset before step t.
  package func hasReset(_ t: Int, lanes range: Range<Int>) -> Bool {
    let flags = resets + t * lanes
    for lane in range where flags[lane] != 0 { return true }
    return false
  }
}
