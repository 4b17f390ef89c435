import Chunks
import Preconditions
import Synchronization
import Threads

/// Reads the chunks of some lanes, or some tiles of them, ahead of need, on a thread of its own, epoch after epoch without end.
///
/// The chunks are those that `Schedule` says, whatever the lanes of others are. Used by one thread at a time.
package final class ChunkFeeder {
  private let ring: Ring
  private var thread: JoinableThread?
  private var next = 0
  private var isHolding = false
  private var isAwaited = false
  private var failure: (any Error)?

  /// Begins to read.
  ///
  /// - Parameters:
  ///   - schedule: of one of the dataset's splits.
  ///   - tiles: those to be read, in their order, of the schedule's lanes; their columns are the lanes of the buffers.
  ///   - epoch: the epoch of the first chunk.
  ///   - chunk: the first chunk's number in it; the number of chunks in it means the start of the next epoch.
  /// - Throws: `DataError` where there is no such chunk; `ThreadError`.
  package init(
    _ dataset: SequenceDataset, _ schedule: Schedule, tiles: [Tile], epoch: Int = 0, chunk: Int = 0
  ) throws {
    let reader = try ChunkReader(dataset, schedule, tiles: tiles, epoch: epoch, chunk: chunk)
    ring = Ring(
      reader, steps: tiles[0].steps.count, sourceSteps: schedule.sourceSteps, lanes: tiles.columnCount)
    thread = try JoinableThread { [ring] in ring.run() }
  }

  /// The same of whole chunks of some lanes; lane b of the buffers is lane `lanes.lowerBound + b`.
  package convenience init(
    _ dataset: SequenceDataset, _ schedule: Schedule, lanes: Range<Int>, epoch: Int = 0, chunk: Int = 0
  ) throws {
    try self.init(
      dataset, schedule, tiles: [.whole(lanes, steps: schedule.chunk)], epoch: epoch, chunk: chunk)
  }

  deinit { close() }

  /// The most bytes that a feeder of whole chunks of so many of a schedule's lanes takes.
  ///
  /// - Parameter isHeld: Whether the values are held in memory, so that nothing is read from the file.
  package static func byteCount(
    of dataset: SequenceDataset, _ schedule: Schedule, lanes: Int, isHeld: Bool
  ) -> Int {
    guard lanes > 0 else { return 0 }
    let tiles = [Tile.whole(0..<lanes, steps: schedule.chunk)]
    return byteCount(of: dataset, schedule, tiles: tiles, isHeld: isHeld)
  }

  /// The most bytes that a feeder of some tiles of a schedule's lanes takes; none where there are no tiles.
  package static func byteCount(
    of dataset: SequenceDataset, _ schedule: Schedule, tiles: [Tile], isHeld: Bool
  ) -> Int {
    guard let first = tiles.first else { return 0 }
    let (chunk, lanes, sourceSteps) = (first.steps.count, tiles.columnCount, schedule.sourceSteps)
    let chunkBytes = MemoryMeasurement.peakBytes {
      Chunk(steps: chunk, sourceSteps: sourceSteps, lanes: lanes, tracks: dataset.tracks)
    }
    let bytes = Ring.slotCount * chunkBytes + schedule.orderByteCount
    guard !isHeld else { return bytes }
    return [(ChunkPart.all(of: dataset), chunk), (ChunkPart.ofSource(of: dataset), sourceSteps)]
      .filter { !$0.0.isEmpty }
      .reduce(bytes) {
        $0 + PieceReader.byteCount(dataset, $1.0, largestChunk: $1.1 * lanes)
      }
  }

  /// The next chunk. The one before may be overwritten from now on.
  ///
  /// - Throws: `HDF5Error` or `DataError` where its tokens cannot be read; from then on, always.
  package func nextChunk() throws -> Chunk {
    if let failure { throw failure }
    if isHolding { ring.empty.signal() }
    let slot = awaitSlot()
    isAwaited = false
    next = (next + 1) % ring.slots.count
    isHolding = true
    failure = slot.failure
    if let failure { throw failure }
    return slot.buffer
  }

  /// The chunk that comes next, where the lanes go on. Which it is, and the lanes' streams and offsets, is right even
  /// where its tokens cannot be read.
  package func upcomingChunk() -> Chunk {
    precondition(failure == nil, "no chunk comes after a failure")
    return awaitSlot().buffer
  }

  private func awaitSlot() -> Ring.Slot {
    precondition(thread != nil, "the feeder has been closed")
    if !isAwaited { ring.filled.wait() }
    isAwaited = true
    return ring.slots[next]
  }

  /// Ends the thread and waits for it. Closing twice does nothing.
  package func close() {
    guard let thread = thread.take() else { return }
    ring.isStopped.store(true, ordering: .relaxed)
    ring.empty.signal()
    thread.join()
  }
}

/// What the feeder and its thread share. The slots go round: the semaphores say whose they are.
private final class Ring: @unchecked Sendable {
  /// One in use, one ready, one being filled.
  static let slotCount = 3

  let slots: [Slot]
  let empty: CountingSemaphore
  let filled = CountingSemaphore(0)
  let isStopped = Atomic(false)
  private let reader: ChunkReader

  final class Slot {
    let buffer: Chunk
    var failure: (any Error)?

    init(_ buffer: Chunk) { self.buffer = buffer }
  }

  init(_ reader: ChunkReader, steps: Int, sourceSteps: Int, lanes: Int) {
    self.reader = reader
    slots = (0..<Self.slotCount).map { _ in
      Slot(Chunk(steps: steps, sourceSteps: sourceSteps, lanes: lanes, tracks: reader.tracks))
    }
    empty = CountingSemaphore(slots.count)
  }

  /// Fills slots until it is stopped or fails.
  func run() {
    var next = 0
    while true {
      empty.wait()
      if isStopped.load(ordering: .relaxed) { return }
      let slot = slots[next]
      next = (next + 1) % slots.count
      do { try reader.fill(slot.buffer) } catch { slot.failure = error }
      filled.signal()
      if slot.failure != nil { return }
    }
  }
}
