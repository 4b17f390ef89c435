import TestSupport
import Testing

extension Workspace {
  /// The settings of a run that takes long enough to be met in its midst: some milliseconds a step.
  static let slowSettings = [
    "data.path=tales.h5", "model.hidden=64", "model.embedding=16", "model.dropout=0.1", "training.shards=4",
    "training.lanes=16", "training.chunk=32", "training.log_every=1", "evaluation.every=50",
  ]

  /// The command that trains such a run.
  static func slowCommand(_ run: String, steps: Int, _ settings: [String] = []) -> [String] {
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

/// The parts of `/proc` that tell of a job's memory.
struct JobMemory {
  /// What Open MPI puts into the name of everything that the job shares.
  let name: String

  /// Of the job to which the process `rank` belongs.
  init(ofRank rank: Int32) throws {
    let environment = try readBytes("/proc/\(rank)/environ").split(separator: 0)
    let prefix = "PMIX_NAMESPACE="
    let entry = environment.lazy.map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix(prefix) }
    let number = try #require(entry.flatMap { UInt32($0.dropFirst(prefix.utf8.count)) })
    name = String(number, radix: 16)
  }

  /// What there is of it in shared memory.
  var leftovers: [String] {
    get throws { try directoryEntries("/dev/shm").filter { $0.contains(name) } }
  }
}
