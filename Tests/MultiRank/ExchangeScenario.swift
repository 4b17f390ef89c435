import Core
import MPI
import Training

/// For 5, 8 and 13 shards, on one host and on several, equal ones or not, whose ranks are numbered one host after another
/// or by turns: every rank's slices hold the bits of the one tree over all shards, and weights updated by their owners
/// are known to all, as are packed weights that ranks share. Twice over, as steps follow each other.
func exchanges(_ world: Communicator) throws {
  var configuration = ModelConfiguration()
  (configuration.embedding, configuration.hidden) = (24, 40)
  let layout = Blueprint(configuration, tracks: .language(vocabulary: 37)).layout
  let placements: [(Int) -> Int] = [
    { _ in 0 },
    { $0 % 2 },
    { $0 },
    // Hosts of 1, 2, 3, ... ranks.
    { rank in (0...rank).first { ($0 + 1) * ($0 + 2) / 2 > rank } ?? 0 },
  ]
  for host in placements {
    let world = try world.grouped(byHost: host(world.rank))
    for shards in [5, 8, 13] where world.size <= shards {
      let plan = ShardPlan(shards: shards, hosts: world.hosts)
      for overlapping in world.hosts.count > 1 ? [false, true] : [false] {
        let exchange = try GradientExchange(
          world, layout: layout, packedCount: 40_000, plan: plan, overlapping: overlapping)
        for round in 0..<2 {
          try checkSums(exchange, plan, rank: world.rank, round: round)
          try checkWeights(exchange, world, round: round)
          try checkPackedWeights(exchange, world, round: round)
        }
        // A rank that could not read its data has finished no piece.
        try checkSums(exchange, plan, rank: world.rank, round: 2, finishing: world.rank > 0)
        try exchange.free()
      }
    }
  }
}

/// The second of two hosts has not the memory: all ranks learn of it.
func exchangeWithoutRoom(_ world: Communicator) throws {
  let world = try world.grouped(byHost: 2 * world.rank / world.size)
  let layout = Blueprint(ModelConfiguration(), tracks: .language(vocabulary: 37)).layout
  do {
    _ = try GradientExchange(
      world, layout: layout, packedCount: world.hosts.host(of: world.rank) << 50,
      plan: ShardPlan(shards: world.size, hosts: world.hosts))
  } catch let error as JobError {
    return try expect(error.message.contains("of shared memory"), "\(error)")
  }
  throw FailedExpectation(description: "more than all memory was there")
}

private func checkSums(
  _ exchange: GradientExchange, _ plan: ShardPlan, rank: Int, round: Int, finishing: Bool = true
) throws {
  let layout = exchange.memory.layout
  for (subtree, gradient) in zip(plan.subtrees(of: rank), exchange.memory.gradients) {
    for index in 0..<layout.count { gradient[index] = treeSum(subtree) { mark($0, index, round) } }
  }
  if finishing { for piece in layout.pieces.indices { exchange.finished(piece: piece) } }
  let sums = try exchange.reduce()
  for index in exchange.slices.joined() {
    let expected = treeSum(0..<plan.shards) { mark($0, index, round) }
    try expect(
      sums[index] == expected,
      "\(plan), element \(index): expected \(expected), found \(sums[index])")
  }
  try exchange.publish()
}

private func checkWeights(_ exchange: GradientExchange, _ world: Communicator, round: Int) throws {
  let memory = exchange.memory
  // The last rank's part comes first.
  let parts = (0..<world.size).reversed().map {
    (elements: RankBlocks.evenPart(of: memory.layout.count, rank: $0, ranks: world.size), rank: $0)
  }
  for part in parts where part.rank == world.rank {
    for index in part.elements { memory.weights[index] = mark(77, index, round) }
  }
  try exchange.shareWeights(parts)
  for index in 0..<memory.layout.count { try expectEqual(memory.weights[index], mark(77, index, round)) }
  try world.barrier()
  for index in exchange.slices.joined() { memory.weights[index] = mark(99, index, round) }
  try exchange.publish()
  for index in 0..<memory.layout.count { try expectEqual(memory.weights[index], mark(99, index, round)) }
  try world.barrier()
}

/// Each rank fills its part of what its host shares, and knows the parts of all.
private func checkPackedWeights(_ exchange: GradientExchange, _ world: Communicator, round: Int) throws {
  guard let packing = exchange.packing else { throw FailedExpectation(description: "nothing is shared") }
  let packed = packing.floats
  let own = RankBlocks.evenPart(of: packed.count, rank: packing.sharer, ranks: packing.sharers)
  try expectEqual(packing.sharers, world.hosts.ranks[world.hosts.host(of: world.rank)].count)
  for index in own { packed[index] = mark(55, index, round) }
  try exchange.awaitPackedWeights()
  // From the end: the last part is complete last.
  for index in packed.indices.reversed() { try expectEqual(packed[index], mark(55, index, round)) }
  try world.barrier()
}

/// The sum as its definition has it: a leaf, or the sum of the left tree, of the largest power of two of leaves below
/// their number, and the right one.
private func treeSum(_ shards: Range<Int>, _ value: (Int) -> Float) -> Float {
  if shards.count == 1 { return value(shards.lowerBound) }
  var left = 1
  while 2 * left < shards.count { left *= 2 }
  let middle = shards.lowerBound + left
  return treeSum(shards.lowerBound..<middle, value) + treeSum(middle..<shards.upperBound, value)
}

/// A number whose sums depend on their order.
private func mark(_ shard: Int, _ index: Int, _ round: Int) -> Float {
  let bits = UInt32(truncatingIfNeeded: (shard &* 7919 &+ index &* 104_729 &+ round) &* 2_654_435_761) >> 8
  return (Float(bits) / Float(1 << 24) - 0.5) * Float(sign: .plus, exponent: shard % 5, significand: 1)
}
