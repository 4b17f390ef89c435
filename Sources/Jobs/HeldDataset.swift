import MPI
import Sequences

/// One copy of a dataset's tokens, shared by the ranks of a host.
final class TokenMemory {
  private let host: Communicator
  private let memory: SharedMemory

  fileprivate init(_ host: Communicator, byteCount: Int) throws {
    self.host = host
    memory = try SharedMemory(host, byteCount: host.rank == 0 ? byteCount : 0)
  }

  fileprivate var bytes: UnsafeMutableRawBufferPointer { memory.segment(of: 0) }

  fileprivate func synchronize() throws { try memory.synchronize() }

  /// Frees the memory; the dataset can't be read afterwards. Collective.
  func free() throws {
    try memory.free()
    try host.free()
  }
}

extension SequenceDataset {
  /// Reads and checks all tokens, and holds them in memory, one copy a host. Collective.
  ///
  /// - Returns: The memory; free it when the dataset has been read.
  /// - Throws: `JobError` if they can't be read, are outside the vocabulary, or don't fit; `MPIError`.
  func holdTokens(_ communicator: Communicator) throws -> TokenMemory {
    let host = try communicator.splitByHost()
    let memory = try communicator.agree { try TokenMemory(host, byteCount: byteCount) }
    let share = RankBlocks.evenPart(of: streams.tokens.count, rank: host.rank, ranks: host.size)
    try communicator.agree { try load(positions: share, into: memory.bytes) }
    try memory.synchronize()
    hold(in: UnsafeRawBufferPointer(memory.bytes))
    return memory
  }
}
