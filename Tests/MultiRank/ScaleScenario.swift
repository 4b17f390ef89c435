import Core
import Glibc
import MPI
import Sequences
import Training

/// Makes for a few of 1,024 ranks, on 128 hosts, what each of them plans a training on ten million streams with; prints the
/// processor time and the memory that the last of them has taken: seconds, and bytes.
func planForManyRanks(_ world: Communicator) throws {
  let hosts = Hosts(ranks: [Int](repeating: 8, count: 128))
  var configuration = Configuration()
  (configuration.model.hidden, configuration.model.layers) = (1024, 2)
  (configuration.training.lanes, configuration.training.shards) = (8192, 2048)
  configuration.training.steps = 1000
  var began = processorSeconds()
  for rank in [0, 517, 1023] {
    began = processorSeconds()
    let offsets = (0...10_000_000).map { 20 * $0 }
    let streams = try StreamTable(offsets: offsets)
    let schedule = try Schedule(
      streams: streams, lanes: configuration.training.lanes, chunk: configuration.training.chunk,
      mode: .packed,
      traversal: .training(seed: 1))
    let plan = StepPlan(
      configuration, tracks: .language(vocabulary: 10_000), steps: schedule.chunk, hosts: hosts)
    try expectEqual(plan.shards.shards(of: rank), 2 * rank..<2 * rank + 2)
    try expectEqual(plan.shards.subtrees(ofHost: hosts.host(of: rank)).count, 1)
    let ownership = Ownership(plan.layout, hosts: hosts)
    var incoming = 0
    for host in hosts.ranks.indices where host != hosts.host(of: rank) {
      for piece in plan.layout.pieces.indices {
        for transfer in ownership.incoming(to: rank, fromHost: host, piece: piece) {
          incoming += transfer.elements.count
        }
      }
    }
    let own = ownership.ranges(of: rank).reduce(0) { $0 + $1.count }
    try expectEqual(incoming, 127 * own)
    try expect(abs(own - plan.layout.count / 1024) <= 1024 * plan.layout.pieces.count, "\(own)")

    var walk = try schedule.walk(lanes: 8 * rank..<8 * rank + 8)
    var steps = 0
    for _ in 0..<100 { walk.next { _, piece in steps += piece.steps.count } }
    try expectEqual(steps, 100 * 8 * configuration.training.chunk)
  }
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  print("planned \(processorSeconds() - began) \(usage.ru_maxrss * 1024)")
}

/// The seconds of processor time that this process has taken.
private func processorSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
