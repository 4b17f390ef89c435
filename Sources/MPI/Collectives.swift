import COpenMPI
import Preconditions

/// Keeps the messages of collectives apart from others; the largest tag that every MPI library has.
private let collectiveTag: Int32 = 32_767

extension Communicator {
  /// Copies `buffer` of the rank `root` into that of every other rank; all have the same length. Collective.
  package func broadcast<T: MPIDatatype>(_ buffer: UnsafeMutableBufferPointer<T>, from root: Int = 0) throws {
    guard size > 1 else { return }
    try inParts(buffer.count) { part in
      try wait("MPI_Bcast") {
        MPI_Bcast(
          UnsafeBufferPointer(buffer).mutableStart(of: part), Int32(part.count), T.handle, Int32(root), handle
        )
      }
    }
  }

  /// The value that the rank `root` gives. Collective.
  package func broadcast<T: MPIDatatype>(_ value: T, from root: Int = 0) throws -> T {
    var value = value
    try withUnsafeMutablePointer(to: &value) {
      try broadcast(UnsafeMutableBufferPointer(start: $0, count: 1), from: root)
    }
    return value
  }

  /// The string that the rank `root` gives; what the others give is not looked at. Collective.
  package func broadcast(_ string: String, from root: Int = 0) throws -> String {
    guard size > 1 else { return string }
    return String(decoding: try broadcast(Array(string.utf8), from: root), as: UTF8.self)
  }

  /// The array that the rank `root` gives; what the others give is not looked at. Collective.
  package func broadcast<T: MPIDatatype>(_ array: [T], from root: Int = 0) throws -> [T] {
    guard size > 1 else { return array }
    let count = try broadcast(array.count, from: root)
    return try [T](unsafeUninitializedCapacity: count) { buffer, filled in
      if rank == root { _ = buffer.initialize(fromContentsOf: array) }
      try broadcast(UnsafeMutableBufferPointer(rebasing: buffer[..<count]), from: root)
      filled = count
    }
  }

  /// The arrays that the ranks give, of any lengths, on the rank `root`; on the others none. Collective.
  package func gather<T: MPIDatatype>(_ array: [T], at root: Int = 0) throws -> [[T]] {
    let blocks = RankBlocks(counts: try allgather(array.count))
    guard rank == root else {
      try array.withUnsafeBufferPointer {
        try gather($0, into: UnsafeMutableBufferPointer(start: nil, count: 0), blocks, at: root)
      }
      return []
    }
    let all = try [T](unsafeUninitializedCapacity: blocks.count) { buffer, filled in
      try array.withUnsafeBufferPointer {
        try gather($0, into: UnsafeMutableBufferPointer(rebasing: buffer[..<blocks.count]), blocks, at: root)
      }
      filled = blocks.count
    }
    return (0..<size).map { Array(all[blocks.range(of: $0)]) }
  }

  /// Fills `buffer` on every rank: each has put its own block in place and receives all the others'. Collective.
  package func allgather<T: MPIDatatype>(_ buffer: UnsafeMutableBufferPointer<T>, _ blocks: RankBlocks) throws
  {
    check(blocks, buffer.count)
    guard size > 1 else { return }
    guard blocks.count <= countLimit else {
      for root in 0..<size {
        try broadcast(UnsafeMutableBufferPointer(rebasing: buffer[blocks.range(of: root)]), from: root)
      }
      return
    }
    try wait("MPI_Allgatherv") {
      MPI_Allgatherv(
        st_in_place(), 0, st_datatype_null(), buffer.baseAddress, blocks.counts32, blocks.offsets32, T.handle,
        handle)
    }
  }

  /// The values that the ranks give, in the order of ranks. Collective.
  package func allgather<T: MPIDatatype>(_ value: T) throws -> [T] {
    var values = [T](repeating: value, count: size)
    try values.withUnsafeMutableBufferPointer { buffer in
      _ = try wait("MPI_Allgather") {
        MPI_Allgather(st_in_place(), 0, st_datatype_null(), buffer.baseAddress, 1, T.handle, handle)
      }
    }
    return values
  }

  /// Collects every rank's `block` in `buffer` on the rank `root`, in the order of ranks; on the others `buffer` is not
  /// touched and may be empty. All ranks give the same `blocks`. Collective.
  package func gather<T: MPIDatatype>(
    _ block: UnsafeBufferPointer<T>, into buffer: UnsafeMutableBufferPointer<T>, _ blocks: RankBlocks,
    at root: Int = 0
  ) throws {
    precondition(
      blocks.counts.count == size && block.count == blocks.counts[rank],
      "the blocks are not those of this group")
    guard rank == root else { return try send(block, to: root, tag: collectiveTag) }
    check(blocks, buffer.count)
    for source in 0..<size {
      let place = UnsafeMutableBufferPointer(rebasing: buffer[blocks.range(of: source)])
      if source == root {
        _ = place.update(fromContentsOf: block)
      } else {
        try receive(into: place, from: source, tag: collectiveTag)
      }
    }
  }

  private func check(_ blocks: RankBlocks, _ count: Int) {
    precondition(blocks.counts.count == size, "\(blocks.counts.count) blocks for \(size) ranks")
    precondition(blocks.count == count, "\(count) elements for blocks of \(blocks.count)")
  }
}
