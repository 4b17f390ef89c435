import Preconditions

/// How a buffer is cut into consecutive blocks, one for each rank, in the order of ranks. Blocks may be empty.
///
/// Made once and used in every step, so that a collective need not allocate.
package struct RankBlocks: Sendable, Equatable {
  /// The number of elements in each rank's block.
  package let counts: [Int]
  /// Where each rank's block begins.
  package let offsets: [Int]
  /// The number of elements in all blocks.
  package let count: Int
  /// Counts and offsets for MPI, whose counts are 32-bit; of no use where `count` does not fit.
  let counts32: [Int32]
  let offsets32: [Int32]

  /// Blocks of these numbers of elements.
  package init(counts: [Int]) {
    precondition(counts.allSatisfy { $0 >= 0 }, "a block cannot have a negative number of elements")
    self.counts = counts
    var offset = 0
    offsets = counts.map { count in
      defer { offset += count }
      return offset
    }
    count = offset
    counts32 = counts.map { Int32(truncatingIfNeeded: $0) }
    offsets32 = offsets.map { Int32(truncatingIfNeeded: $0) }
  }

  /// A rank's part of `count` things in a row, which are cut as evenly as can be.
  package static func evenPart(of count: Int, rank: Int, ranks: Int) -> Range<Int> {
    count * rank / ranks..<count * (rank + 1) / ranks
  }

  /// The rank that has one of them.
  package static func rank(of index: Int, count: Int, ranks: Int) -> Int {
    ((index + 1) * ranks - 1) / count
  }

  /// The elements of a rank's block.
  package func range(of rank: Int) -> Range<Int> { offsets[rank]..<offsets[rank] + counts[rank] }
}
