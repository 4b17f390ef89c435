import Glibc
import TestSupport
import Testing

extension Workspace {
  /// The steps of a run that is not left to finish: far more than it can make meanwhile, however long the tests are
  /// kept waiting for the processor.
  static let endless = 1_000_000

  /// The settings of a run whose steps take some milliseconds each.
  static let slowSettings = [
    "data.path=tales.h5", "model.hidden=64", "model.embedding=16", "model.dropout=0.1", "training.shards=4",
    "training.lanes=16", "training.chunk=32", "training.log_every=1", "evaluation.every=50",
  ]

  /// The command that trains such a run.
  static func slowCommand(_ run: String, steps: Int = endless, _ settings: [String] = []) -> [String] {
    ["train", "--run", run] + set(slowSettings + ["training.steps=\(steps)"] + settings)
  }

  /// Starts a job as users do, with Open MPI's own patience.
  func start(ranks: Int, _ arguments: [String]) throws -> RunningProcess {
    try startJob(ranks: ranks, "seqtrain", arguments, directory: path)
  }

  /// The last step in a run's metrics; 0 where there is none yet.
  func lastStep(_ run: String) -> Int {
    guard let bytes = try? readBytes(self("\(run)/metrics.jsonl")) else { return 0 }
    let rows = String(decoding: bytes, as: UTF8.self).matches(of: /"kind":"train","step":(\d+),/)
    return rows.last.flatMap { Int($0.1) } ?? 0
  }
}

extension RunningProcess {
  /// The processes of a job that has begun to train, rank by rank.
  func ranks() throws -> [pid_t] {
    // A child that has not begun its program yet is no rank: it still has the launcher's variables and handlers.
    let ranks = try children().compactMap { child in
      Int(try variable("OMPI_COMM_WORLD_RANK", of: child) ?? "").map { (child, $0) }
    }
    return ranks.sorted { $0.1 < $1.1 }.map(\.0)
  }
}

/// The value that a variable had when a process was started.
func variable(_ name: String, of process: pid_t) throws -> String? {
  try readBytes("/proc/\(process)/environ").split(separator: 0).lazy
    .map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix("\(name)=") }
    .map { String($0.dropFirst(name.count + 1)) }
}

/// What a job shares in memory.
struct JobMemory {
  /// What Open MPI puts into the name of everything there.
  let name: String

  /// Of the job to which the process `rank` belongs.
  init(ofRank rank: pid_t) throws {
    let number = try #require(try variable("PMIX_NAMESPACE", of: rank).flatMap { UInt32($0) })
    name = String(number, radix: 16)
  }

  /// What there is of it in shared memory.
  var leftovers: [String] {
    get throws { try directoryEntries("/dev/shm").filter { $0.contains(name) } }
  }
}
