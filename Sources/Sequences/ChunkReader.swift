/// Fills chunk after chunk, through epoch after epoch, with what a schedule says for some of its lanes.
///
/// Each lane reads a window of the file at a time, so that successive chunks come from memory; nothing is read that it
/// does not play.
final class ChunkReader {
  private let dataset: SequenceDataset
  private let schedule: Schedule
  private let lanes: Range<Int>
  private var epoch: Int
  private var chunk: Int
  private var plan: EpochSchedule
  private var walks: [LaneWalk]
  private let windows: [Window]

  /// Tokens of one lane, as they lie in the file from `range.lowerBound` on.
  private final class Window {
    let tokens: UnsafeMutableBufferPointer<Int32>
    var range = 0..<0

    init(capacity: Int) {
      tokens = .allocate(capacity: capacity)
      tokens.initialize(repeating: 0)
    }

    deinit { tokens.deallocate() }
  }

  /// The tokens in a window. Each lane has one: 64 KiB.
  static let windowSize = 1 << 14

  /// - Throws: `DataError` where the epoch has not that many chunks.
  init(_ dataset: SequenceDataset, _ schedule: Schedule, lanes: Range<Int>, epoch: Int, chunk: Int) throws {
    precondition(
      lanes.lowerBound >= 0 && lanes.upperBound <= schedule.lanes && !lanes.isEmpty, "lanes \(lanes)")
    guard epoch >= 0, chunk >= 0 else { throw DataError("there is no chunk \(chunk) of epoch \(epoch)") }
    self.dataset = dataset
    self.schedule = schedule
    self.lanes = lanes
    plan = schedule.epoch(epoch)
    guard chunk <= plan.chunks else {
      throw DataError(
        "there is no chunk \(chunk) in epoch \(epoch), which has \(plan.chunks)", path: dataset.path)
    }
    self.epoch = epoch
    self.chunk = chunk
    walks = lanes.map { [plan] in plan.walk(lane: $0, from: chunk) }
    windows = lanes.map { _ in Window(capacity: max(Self.windowSize, schedule.chunk + 1)) }
  }

  /// Fills `buffer` with the next chunk, and says which it is.
  ///
  /// - Throws: `HDF5Error` or `DataError` where tokens cannot be read.
  func fill(_ buffer: ChunkBuffer) throws -> (epoch: Int, index: Int) {
    if chunk == plan.chunks {
      epoch += 1
      chunk = 0
      plan = schedule.epoch(epoch)
      for (row, lane) in lanes.enumerated() { walks[row] = plan.walk(lane: lane) }
    }
    buffer.clear()
    for row in 0..<lanes.count {
      let window = windows[row]
      try walks[row].next { piece in
        buffer.write(piece, lane: row, tokens: try tokens(of: piece, in: window))
      }
    }
    defer { chunk += 1 }
    return (epoch, chunk)
  }

  /// The inputs of `piece` and the last target, from the window, which is read anew where it does not hold them.
  private func tokens(of piece: Piece, in window: Window) throws -> UnsafePointer<Int32> {
    let needed = piece.start..<piece.start + piece.steps.count + 1
    if needed.lowerBound < window.range.lowerBound || needed.upperBound > window.range.upperBound {
      // What follows in the file is what the lane plays next: in contiguous mode to the end of the split, in packed
      // mode to the end of the stream.
      let limit =
        schedule.mode == .contiguous
        ? schedule.streams.tokens.upperBound : schedule.streams.offsets[piece.stream + 1]
      let range = piece.start..<max(needed.upperBound, min(limit, piece.start + Self.windowSize))
      window.range = 0..<0
      try dataset.read(
        tokens: range, into: UnsafeMutableBufferPointer(rebasing: window.tokens[..<range.count]))
      window.range = range
    }
    guard let base = window.tokens.baseAddress else { preconditionFailure("a window has storage") }
    return UnsafePointer(base + (piece.start - window.range.lowerBound))
  }
}
