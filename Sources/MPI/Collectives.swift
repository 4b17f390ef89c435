import COpenMPI
import Preconditions

/// Keeps the messages of collectives apart from others; the largest tag that every MPI library has.
private let collectiveTag: Int32 = 32_767

extension Communicator {
  /// Copies `buffer` of the rank `root` into that of every other rank; all have the same length. Collective.
  package func broadcast<T: MPIDatatype>(_ buffer: UnsafeMutableBufferPointer<T>, from root: Int = 0) throws {
    guard size > 1 else { return }
    try inParts(buffer.count) { part in
      try call("MPI_Bcast") {
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
    var bytes = Array(string.utf8)
    let count = try broadcast(bytes.count, from: root)
    if rank != root { bytes = [UInt8](repeating: 0, count: count) }
    try bytes.withUnsafeMutableBufferPointer { try broadcast($0, from: root) }
    return String(decoding: bytes, as: UTF8.self)
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
    try call("MPI_Allgatherv") {
      MPI_Allgatherv(
        st_in_place(), 0, st_datatype_null(), buffer.baseAddress, blocks.counts32, blocks.offsets32, T.handle,
        handle)
    }
  }

  /// The values that the ranks give, in the order of ranks. Collective.
  package func allgather<T: MPIDatatype>(_ value: T) throws -> [T] {
    var values = [T](repeating: value, count: size)
    try values.withUnsafeMutableBufferPointer { buffer in
      _ = try call("MPI_Allgather") {
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

  /// Sends a block of `outgoing` to every rank and fills `incoming` with a block from each. `outgoingBlocks` on one
  /// rank and `incomingBlocks` on another agree on what the one sends the other. Collective.
  package func alltoall<T: MPIDatatype>(
    _ outgoing: UnsafeBufferPointer<T>, _ outgoingBlocks: RankBlocks,
    into incoming: UnsafeMutableBufferPointer<T>, _ incomingBlocks: RankBlocks
  ) throws {
    check(outgoingBlocks, outgoing.count)
    check(incomingBlocks, incoming.count)
    _ = incoming[incomingBlocks.range(of: rank)].update(
      fromContentsOf: outgoing[outgoingBlocks.range(of: rank)])
    let incoming = UnsafeBufferPointer(incoming)
    let largest = max(outgoingBlocks.largest, incomingBlocks.largest)
    let rounds = (largest + countLimit - 1) / countLimit
    try withUnsafeTemporaryAllocation(of: MPI_Request?.self, capacity: 2 * size) { requests in
      guard let base = requests.baseAddress else { return }
      for round in 0..<rounds {
        var count = 0
        // Every rank begins with its neighbour, lest all of them send to the same one first.
        for distance in 1..<size {
          let source = (rank + size - distance) % size
          if let part = incomingBlocks.part(round, of: source, limit: countLimit) {
            try call("MPI_Irecv") {
              MPI_Irecv(
                incoming.mutableStart(of: part), Int32(part.count), T.handle, Int32(source), collectiveTag,
                handle, base + count)
            }
            count += 1
          }
        }
        for distance in 1..<size {
          let destination = (rank + distance) % size
          if let part = outgoingBlocks.part(round, of: destination, limit: countLimit) {
            try call("MPI_Isend") {
              MPI_Isend(
                outgoing.start(of: part), Int32(part.count), T.handle, Int32(destination), collectiveTag,
                handle, base + count)
            }
            count += 1
          }
        }
        try call("MPI_Waitall") { MPI_Waitall(Int32(count), base, st_statuses_ignore()) }
      }
    }
  }

  private func check(_ blocks: RankBlocks, _ count: Int) {
    precondition(blocks.counts.count == size, "\(blocks.counts.count) blocks for \(size) ranks")
    precondition(blocks.count == count, "\(count) elements for blocks of \(blocks.count)")
  }
}
