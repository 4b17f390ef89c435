import COpenMPI
import Preconditions

/// A group of ranks that exchange messages among themselves.
///
/// Every rank of the group makes the same collective calls in the same order, or the job hangs.
///
/// Sums and maxima of floating-point numbers are not offered. The order in which `MPI_Allreduce` adds depends on the
/// number of ranks and the size of the message, so that the same numbers have other sums on another number of ranks,
/// and `MPI_MAX` drops NaN. Whoever needs them gathers the parts and adds them in an order of their own.
///
/// Any number of elements can be sent: messages beyond MPI's 32-bit counts go in parts.
package struct Communicator: @unchecked Sendable {
  // Unchecked, since the handle is a pointer: it is only a name, and MPI is told that threads take turns.
  let handle: MPI_Comm?
  /// This process's number in the group, from 0.
  package let rank: Int
  /// The number of ranks in the group.
  package let size: Int
  /// Which of them are on which host.
  package internal(set) var hosts: Hosts
  /// The most elements in one message. Only tests make it smaller, to see messages go in parts.
  package var countLimit = Int(Int32.max)

  init(taking handle: MPI_Comm?) throws {
    var rank: Int32 = 0
    var size: Int32 = 0
    try call("MPI_Comm_set_errhandler") { MPI_Comm_set_errhandler(handle, st_errors_return()) }
    try call("MPI_Comm_rank") { MPI_Comm_rank(handle, &rank) }
    try call("MPI_Comm_size") { MPI_Comm_size(handle, &size) }
    self.handle = handle
    self.rank = Int(rank)
    self.size = Int(size)
    hosts = Hosts(ranks: [self.size])
  }

  /// All ranks of the job. Collective.
  static func world() throws -> Communicator {
    let world = try Communicator(taking: st_comm_world())
    var handle = st_comm_null()
    try call("MPI_Comm_split_type") {
      MPI_Comm_split_type(
        world.handle, Int32(MPI_COMM_TYPE_SHARED), Int32(world.rank), st_info_null(), &handle)
    }
    let host = try Communicator(taking: handle)
    let first = try host.minimum(world.rank)
    try host.free()
    return try world.grouped(byHost: first)
  }

  /// The ranks that give the same color, in the order of their keys, as if on one host. Collective.
  func split(color: Int, key: Int) throws -> Communicator {
    var group = st_comm_null()
    try call("MPI_Comm_split") { MPI_Comm_split(handle, Int32(color), Int32(key), &group) }
    return try Communicator(taking: group)
  }

  /// Ends a group made by `splitByHost` or `splitAcrossHosts`; it may not be used any more. Collective.
  package func free() throws {
    var handle = handle
    precondition(handle != st_comm_world(), "the group of all ranks ends with MPI")
    try call("MPI_Comm_free") { MPI_Comm_free(&handle) }
  }

  /// Waits until every rank has come here. Collective.
  package func barrier() throws {
    try wait("MPI_Barrier") { MPI_Barrier(handle) }
  }

  // MARK: Messages from one rank to another

  /// Sends `buffer` to the rank `destination`, which receives as many elements with the same tag.
  package func send<T: MPIDatatype>(_ buffer: UnsafeBufferPointer<T>, to destination: Int, tag: Int32 = 0)
    throws
  {
    try inParts(buffer.count) { part in
      try wait("MPI_Send") {
        MPI_Send(buffer.start(of: part), Int32(part.count), T.handle, Int32(destination), tag, handle)
      }
    }
  }

  /// Fills `buffer` with what the rank `source` sends with the same tag.
  package func receive<T: MPIDatatype>(
    into buffer: UnsafeMutableBufferPointer<T>, from source: Int, tag: Int32 = 0
  ) throws {
    try inParts(buffer.count) { part in
      try wait("MPI_Recv") {
        MPI_Recv(
          UnsafeBufferPointer(buffer).mutableStart(of: part), Int32(part.count), T.handle, Int32(source), tag,
          handle, st_status_ignore())
      }
    }
  }

  /// Runs `body` for consecutive parts of `count` elements that each fit a message; at least once, so that an empty
  /// message is a message too.
  func inParts(_ count: Int, _ body: (Range<Int>) throws -> Void) throws {
    var start = 0
    repeat {
      let end = min(count, start + countLimit)
      try body(start..<end)
      start = end
    } while start < count
  }
}

extension UnsafeBufferPointer {
  /// Where a part begins; nil of a buffer that has no address, being empty.
  func start(of part: Range<Int>) -> UnsafeRawPointer? {
    baseAddress.map { UnsafeRawPointer($0 + part.lowerBound) }
  }

  /// The same for a call that writes there.
  func mutableStart(of part: Range<Int>) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(mutating: start(of: part))
  }
}
