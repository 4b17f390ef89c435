import COpenMPI

/// Messages that are under way while their rank does something else.
///
/// Messages from one rank to another arrive in the order in which both have given them. One thread at a time uses it.
package final class PendingMessages {
  /// Keeps these messages apart from those of collectives.
  package static let ordinaryTag: Int32 = 32_766
  /// Keeps states apart from both.
  package static let stateTag: Int32 = 32_765

  private let communicator: Communicator
  private let tag: Int32
  private var requests: [MPI_Request?] = []

  /// None as yet, among the ranks of `communicator`, with a tag other than which no messages have that are under way
  /// meanwhile.
  package init(_ communicator: Communicator, tag: Int32 = ordinaryTag) {
    self.communicator = communicator
    self.tag = tag
  }

  /// Begins to send `buffer`, which is left alone until `wait()`, to the rank `destination`.
  ///
  /// - Throws: `MPIError`.
  package func send<T: MPIDatatype>(_ buffer: UnsafeBufferPointer<T>, to destination: Int) throws {
    try communicator.inParts(buffer.count) { part in
      try begin("MPI_Isend") {
        MPI_Isend(
          buffer.start(of: part), Int32(part.count), T.handle, Int32(destination), tag, communicator.handle,
          $0)
      }
    }
  }

  /// Begins to fill `buffer`, which is left alone until `wait()`, with what the rank `source` sends.
  ///
  /// - Throws: `MPIError`.
  package func receive<T: MPIDatatype>(into buffer: UnsafeMutableBufferPointer<T>, from source: Int) throws {
    try communicator.inParts(buffer.count) { part in
      try begin("MPI_Irecv") {
        MPI_Irecv(
          UnsafeBufferPointer(buffer).mutableStart(of: part), Int32(part.count), T.handle, Int32(source), tag,
          communicator.handle, $0)
      }
    }
  }

  /// Waits until what was to be received has come, and what was to be sent may be overwritten.
  ///
  /// - Throws: `MPIError`.
  package func wait() throws {
    try requests.withUnsafeMutableBufferPointer { requests in
      try call("MPI_Waitall") {
        MPI_Waitall(Int32(requests.count), requests.baseAddress, st_statuses_ignore())
      }
    }
    requests.removeAll(keepingCapacity: true)
  }

  private func begin(
    _ function: StaticString, _ body: (UnsafeMutablePointer<MPI_Request?>) -> Int32
  ) throws {
    var request: MPI_Request?
    try call(function) { body(&request) }
    requests.append(request)
  }
}

extension Communicator {
  /// Lets messages that are under way move on. For loops that wait for something else than messages.
  ///
  /// - Throws: `MPIError`.
  package func makeProgress() throws {
    var isThere: Int32 = 0
    try call("MPI_Iprobe") {
      MPI_Iprobe(MPI_ANY_SOURCE, PendingMessages.ordinaryTag, handle, &isThere, st_status_ignore())
    }
  }
}
