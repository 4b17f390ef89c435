import Synchronization
import Threads

/// A chunk as the feeder hands it out.
public struct Chunk: Sendable {
  /// Its tokens. They stand until the feeder is asked for the next chunk.
  public let buffer: ChunkBuffer
  /// The epoch, from 0.
  public let epoch: Int
  /// The chunk's number in the epoch, from 0.
  public let index: Int

  /// A chunk of these tokens.
  public init(buffer: ChunkBuffer, epoch: Int, index: Int) {
    self.buffer = buffer
    self.epoch = epoch
    self.index = index
  }
}

/// Reads the chunks of some lanes ahead of need, on a thread of its own, epoch after epoch without end.
///
/// The chunks are those that `Schedule` says, whatever the lanes of others are. Used by one thread at a time.
public final class ChunkFeeder {
  private let ring: Ring
  private var thread: JoinableThread?
  private var next = 0
  private var isHolding = false
  private var failure: (any Error)?

  /// Begins to read.
  ///
  /// - Parameters:
  ///   - schedule: of one of the dataset's splits.
  ///   - lanes: those to be read, among the schedule's; row b of the buffers is lane `lanes.lowerBound + b`.
  ///   - epoch: the epoch of the first chunk.
  ///   - chunk: the first chunk's number in it; the number of chunks in it means the start of the next epoch.
  /// - Throws: `DataError` where there is no such chunk; `ThreadError`.
  public init(
    _ dataset: SequenceDataset, _ schedule: Schedule, lanes: Range<Int>, epoch: Int = 0, chunk: Int = 0
  )
    throws
  {
    let reader = try ChunkReader(dataset, schedule, lanes: lanes, epoch: epoch, chunk: chunk)
    ring = Ring(reader, steps: schedule.chunk, lanes: lanes.count)
    thread = try JoinableThread { [ring] in ring.run() }
  }

  deinit { close() }

  /// The next chunk. The one before may be overwritten from now on.
  ///
  /// - Throws: `HDF5Error` or `DataError` where its tokens cannot be read; from then on, always.
  public func nextChunk() throws -> Chunk {
    precondition(thread != nil, "the feeder has been closed")
    if let failure { throw failure }
    if isHolding { ring.empty.signal() }
    ring.filled.wait()
    let slot = ring.slots[next]
    next = (next + 1) % ring.slots.count
    isHolding = true
    do { return try slot.result.get() } catch {
      failure = error
      throw error
    }
  }

  /// Ends the thread and waits for it. Closing twice does nothing.
  public func close() {
    guard let thread = thread.take() else { return }
    ring.isStopped.store(true, ordering: .relaxed)
    ring.empty.signal()
    thread.join()
  }
}

/// What the feeder and its thread share. The slots go round: the semaphores say whose they are.
private final class Ring: @unchecked Sendable {
  let slots: [Slot]
  let empty: CountingSemaphore
  let filled = CountingSemaphore(0)
  let isStopped = Atomic(false)
  private let reader: ChunkReader

  final class Slot {
    let buffer: ChunkBuffer
    var result: Result<Chunk, any Error>

    init(_ buffer: ChunkBuffer) {
      self.buffer = buffer
      result = .success(Chunk(buffer: buffer, epoch: 0, index: 0))
    }
  }

  init(_ reader: ChunkReader, steps: Int, lanes: Int) {
    self.reader = reader
    // One in use, one ready, one being filled.
    slots = (0..<3).map { _ in Slot(ChunkBuffer(steps: steps, lanes: lanes)) }
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
      do {
        let (epoch, index) = try reader.fill(slot.buffer)
        slot.result = .success(Chunk(buffer: slot.buffer, epoch: epoch, index: index))
        filled.signal()
      } catch {
        slot.result = .failure(error)
        filled.signal()
        return
      }
    }
  }
}
