import Chunks
import Core
import MPI

/// A time-major array [T, B, C] over all lanes, brought together on rank 0 from the ranks that computed its lanes.
struct GatheredRows<Element: MPIDatatype> {
  private let columns: Int
  private let lanesOfRank: [Range<Int>]
  private let blocks: RankBlocks
  private let communicator: Communicator
  /// On rank 0 the blocks of all ranks, each [T, lanes of the rank, C].
  private let buffer: Buffer<Element>
  /// For each lane the rank that computes it.
  private let rankOfLane: [Int]

  /// Space for `steps` steps of the ranks' lanes, with `columns` elements each.
  init(steps: Int, columns: Int, lanesOfRank: [Range<Int>], communicator: Communicator) {
    self.columns = columns
    self.lanesOfRank = lanesOfRank
    self.communicator = communicator
    blocks = RankBlocks(counts: lanesOfRank.map { steps * $0.count * columns })
    buffer = Buffer(count: communicator.rank == 0 ? blocks.count : 0)
    rankOfLane = lanesOfRank.enumerated().flatMap { rank, lanes in lanes.map { _ in rank } }
  }

  /// Brings together what the ranks have of a chunk. Collective.
  func gather(_ own: UnsafeBufferPointer<Element>) throws {
    try communicator.gather(own, into: buffer.elements, blocks)
  }

  /// On rank 0, the elements of a lane at a step.
  func row(_ step: Int, lane: Int) -> UnsafePointer<Element> {
    let rank = rankOfLane[lane]
    let lanes = lanesOfRank[rank]
    let row = step * lanes.count + lane - lanes.lowerBound
    return UnsafePointer(buffer.base + blocks.offsets[rank] + row * columns)
  }
}
