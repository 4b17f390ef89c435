import Glibc
import MPI

/// What the MPI module promises, each name tried with several numbers of ranks.
nonisolated(unsafe) let mpiScenarios: [String: (Communicator) throws -> Void] = [
  "collectives": collectives,
  "messages-in-parts": messagesInParts,
  "groups": groups,
  "agree": agree,
  "fail-last": { world in
    try world.agree { if world.rank == world.size - 1 { throw FailedExpectation(description: "disk full") } }
  },
  "fail-all": { world in try world.agree { throw FailedExpectation(description: "no such file") } },
  "fail-alone": { world in
    if world.rank == world.size - 1 { throw FailedExpectation(description: "out of cheese") }
    try world.barrier()
  },
  "misuse": { world in _ = try world.broadcast(1, from: world.size + 3) },
  "shared-memory": sharedMemory,
  "host-progress": hostProgress,
  "yielding": { world in
    let yields = getenv("OMPI_MCA_mpi_yield_when_idle").map { String(cString: $0) }
    try expectEqual(yields, world.size > sysconf(Int32(_SC_NPROCESSORS_ONLN)) ? "1" : "0")
  },
]

/// A number that tells where it comes from.
private func mark(_ rank: Int, _ index: Int) -> Int { rank * 1_000 + index }

private func collectives(_ world: Communicator) throws {
  try expect(world.rank >= 0 && world.rank < world.size)
  try expectEqual(try world.allgather(world.rank), Array(0..<world.size))
  try expectEqual(try world.allgather(Float(world.rank) / 2), (0..<world.size).map { Float($0) / 2 })
  try expectEqual(try world.maximum(world.rank * 3 - 7), world.size * 3 - 10)
  try expectEqual(try world.minimum(-world.rank), 1 - world.size)
  try expectEqual(try world.sum(Int.max / world.size), Int.max / world.size * world.size)
  try expect(try world.any(world.rank == world.size - 1))
  try expect(try !world.any(false))
  for root in 0..<world.size {
    try expectEqual(try world.broadcast(mark(world.rank, 5), from: root), mark(root, 5))
    try expectEqual(try world.broadcast("von \(world.rank): größer", from: root), "von \(root): größer")
    try expectEqual(try world.broadcast(world.rank == root ? "" : "x", from: root), "")
  }
  try eachElement(world) { Float($0) }
  try eachElement(world) { Double($0) }
  try eachElement(world) { Int32($0) }
  try eachElement(world) { Int64($0) }
  try eachElement(world) { UInt8(truncatingIfNeeded: $0) }
}

/// The same with messages of at most 3 elements, as if counts were that small.
private func messagesInParts(_ world: Communicator) throws {
  var world = world
  world.countLimit = 3
  try eachElement(world) { Double($0) }
}

/// Moves blocks of uneven length, some empty, in every way that there is.
private func eachElement<T: MPIDatatype & Equatable>(_ world: Communicator, _ element: (Int) -> T) throws {
  let (rank, size) = (world.rank, world.size)
  func block(_ source: Int, count: Int) -> [T] { (0..<count).map { element(mark(source, $0)) } }
  let zero = element(0)

  // Rank r has r * 5 % 11 elements.
  let blocks = RankBlocks(counts: (0..<size).map { $0 * 5 % 11 })
  let all = (0..<size).flatMap { block($0, count: $0 * 5 % 11) }
  var buffer = [T](repeating: zero, count: blocks.count)
  buffer.replaceSubrange(blocks.range(of: rank), with: block(rank, count: blocks.counts[rank]))
  try buffer.withUnsafeMutableBufferPointer { try world.allgather($0, blocks) }
  try expectEqual(buffer, all)

  for root in 0..<size {
    var gathered = [T](repeating: zero, count: rank == root ? blocks.count : 0)
    try block(rank, count: blocks.counts[rank]).withUnsafeBufferPointer { own in
      try gathered.withUnsafeMutableBufferPointer { try world.gather(own, into: $0, blocks, at: root) }
    }
    try expectEqual(gathered, rank == root ? all : [])

    var message = block(rank, count: 10)
    try message.withUnsafeMutableBufferPointer { try world.broadcast($0, from: root) }
    try expectEqual(message, block(root, count: 10))
    // An array of none from the first, which the others need not know.
    try expectEqual(
      try world.broadcast(block(rank, count: 3 * rank), from: root), block(root, count: 3 * root))
    let arrays = (0..<size).map { block($0, count: blocks.counts[$0]) }
    try expectEqual(
      try world.gather(block(rank, count: blocks.counts[rank]), at: root), rank == root ? arrays : [])
  }

  // Rank r sends (r + 2 s) % 9 elements to rank s.
  func count(from source: Int, to destination: Int) -> Int { (source + 2 * destination) % 9 }
  let outgoingBlocks = RankBlocks(counts: (0..<size).map { count(from: rank, to: $0) })
  let incomingBlocks = RankBlocks(counts: (0..<size).map { count(from: $0, to: rank) })
  let outgoing = (0..<size).flatMap { block(rank * 10 + $0, count: count(from: rank, to: $0)) }
  var incoming = [T](repeating: zero, count: incomingBlocks.count)
  // Each rank to itself too, and some messages are empty.
  let messages = PendingMessages(world)
  try outgoing.withUnsafeBufferPointer { outgoing in
    try incoming.withUnsafeMutableBufferPointer { incoming in
      for other in 0..<size {
        try messages.receive(
          into: UnsafeMutableBufferPointer(rebasing: incoming[incomingBlocks.range(of: other)]), from: other)
        try messages.send(
          UnsafeBufferPointer(rebasing: outgoing[outgoingBlocks.range(of: other)]), to: other)
      }
      try world.makeProgress()
      try messages.wait()
    }
  }
  try expectEqual(incoming, (0..<size).flatMap { block($0 * 10 + rank, count: count(from: $0, to: rank)) })

  // Round the ring, an empty message among them.
  for length in [0, 7] {
    var received = [T](repeating: zero, count: length)
    let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size)
    guard size > 1 else { continue }
    if rank == 0 {
      try block(rank, count: length).withUnsafeBufferPointer { try world.send($0, to: next, tag: 4) }
    }
    try received.withUnsafeMutableBufferPointer { try world.receive(into: $0, from: previous, tag: 4) }
    if rank != 0 {
      try block(rank, count: length).withUnsafeBufferPointer { try world.send($0, to: next, tag: 4) }
    }
    try expectEqual(received, block(previous, count: length))
  }
}

private func groups(_ world: Communicator) throws {
  let host = try world.splitByHost()
  // All ranks of a test are on one host.
  try expectEqual(world.hosts, Hosts(ranks: [world.size]))
  try expectEqual(host.size, world.size)
  try expectEqual(host.rank, world.rank)
  try expectEqual(try host.sum(1), world.size)
  try host.free()
  try world.barrier()

  // Dealt to two hosts by turns, as `mpirun --map-by node` does; the first host comes first whatever its number.
  let dealt = try world.grouped(byHost: 7 - world.rank % 2)
  let half = (world.size + 1) / 2
  try expectEqual(dealt.hosts.ranks.map(\.count), world.size == 1 ? [1] : [half, world.size - half])
  try expectEqual(dealt.rank, world.rank / 2 + (world.rank % 2) * half)
  let own = try dealt.splitByHost()
  try expectEqual(own.size, dealt.hosts.ranks[world.rank % 2].count)
  try expectEqual(own.rank, world.rank / 2)
  try expectEqual(own.hosts, Hosts(ranks: [own.size]))
  try expectEqual(try own.allgather(world.rank), Array(stride(from: world.rank % 2, to: world.size, by: 2)))
  let across = try dealt.splitAcrossHosts()
  let pair = world.rank / 2 * 2
  try expectEqual(try across.allgather(world.rank), Array(pair..<min(pair + 2, world.size)))
  try own.free()
  try across.free()

  // In their order already: nothing changes but the hosts.
  let consecutive = try world.grouped(byHost: world.rank / 2)
  try expectEqual(consecutive.rank, world.rank)
  try expectEqual(consecutive.hosts.host(of: world.rank), world.rank / 2)
}

private func agree(_ world: Communicator) throws {
  try expectEqual(try world.agree { world.rank * 2 }, world.rank * 2)
  /// The error that all ranks throw where those that `fails` names do.
  func failure(_ fails: (Int) -> Bool, nested: Bool = false) throws -> JobError {
    do {
      try world.agree {
        func attempt() throws {
          if fails(world.rank) { throw FailedExpectation(description: "failed on \(world.rank): größer") }
        }
        if nested { try world.agree(attempt) } else { try attempt() }
      }
    } catch let error as JobError { return error }
    throw FailedExpectation(description: "nothing was thrown")
  }
  for nested in [false, true] {
    for lowest in 0..<world.size {
      let error = try failure({ $0 >= lowest }, nested: nested)
      try expectEqual(error.rank, lowest)
      try expectEqual(error.failures, world.size - lowest)
      try expectEqual(error.message, "failed on \(lowest): größer")
      let message = "failed on \(lowest): größer"
      try expectEqual(error.description, lowest == 0 ? message : "rank \(lowest): \(message)")
    }
  }
  // Life goes on after a failure.
  try expectEqual(try world.sum(1), world.size)
}

private func sharedMemory(_ world: Communicator) throws {
  let host = try world.splitByHost()
  // Segments of uneven length; rank 0's is empty unless it is alone.
  let count = host.size == 1 ? 100 : host.rank * 1_000
  let memory = try SharedMemory(host, byteCount: count * MemoryLayout<Double>.stride)
  func doubles(_ rank: Int) -> UnsafeMutableBufferPointer<Double> {
    memory.segment(of: rank).bindMemory(to: Double.self)
  }
  try expectEqual(doubles(host.rank).count, count)
  for rank in 0..<host.size where !doubles(rank).isEmpty {
    try expectEqual(UInt(bitPattern: doubles(rank).baseAddress) % 64, 0)
  }
  for round in 1...50 {
    for index in doubles(host.rank).indices {
      doubles(host.rank)[index] = Double(round * mark(host.rank, index))
    }
    try memory.synchronize()
    for rank in 0..<host.size {
      for index in stride(from: 0, to: doubles(rank).count, by: 37) {
        try expectEqual(doubles(rank)[index], Double(round * mark(rank, index)))
      }
    }
    try memory.synchronize()
  }
  // Each rank writes one element of every other's segment.
  for rank in 0..<host.size where !doubles(rank).isEmpty { doubles(rank)[host.rank] = Double(-host.rank) }
  try memory.synchronize()
  if !doubles(host.rank).isEmpty {
    for rank in 0..<host.size { try expectEqual(doubles(host.rank)[rank], Double(-rank)) }
  }
  try memory.free()
  try host.free()
}

/// What a rank has written before it came so far, those who have seen it come may read.
private func hostProgress(_ world: Communicator) throws {
  let host = try world.splitByHost()
  let count = 500
  let memory = try SharedMemory(
    host, byteCount: count * MemoryLayout<Int>.stride + HostProgress.byteCount)
  let progress = HostProgress(memory, rank: host.rank, ranks: host.size)
  try memory.synchronize()
  func numbers(_ rank: Int) -> UnsafeMutableBufferPointer<Int> {
    memory.segment(of: rank).bindMemory(to: Int.self)
  }
  try expect(progress.allHaveReached(0) && !progress.allHaveReached(count + 1))
  for number in 1...count {
    numbers(host.rank)[number - 1] = mark(host.rank, number)
    progress.reach(number)
    while !progress.allHaveReached(number) { sched_yield() }
    for rank in 0..<host.size { try expectEqual(numbers(rank)[number - 1], mark(rank, number)) }
  }
  try host.barrier()
  try memory.free()
  try host.free()
}
