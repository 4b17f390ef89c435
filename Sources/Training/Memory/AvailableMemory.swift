import CSupport
import FileSystem
import Glibc

/// Memory that the system would still give, and what says so.
package struct AvailableMemory: Equatable {
  /// The bytes.
  package let bytes: Int
  /// Where that is known from.
  package let source: String

  /// What the processes of this host may still take between them: what it has left, or the least that the control groups
  /// of this process allow. Nil where the system does not say.
  ///
  /// - Parameter root: Where `/proc` and `/sys` are, for tests.
  package static func onHost(root: String = "") -> AvailableMemory? {
    let host = value(of: "MemAvailable:", in: "\(root)/proc/meminfo").map {
      AvailableMemory(bytes: $0 * 1024, source: "MemAvailable in /proc/meminfo")
    }
    return (controlGroups(root: root) + [host].compactMap { $0 }).min { $0.bytes < $1.bytes }
  }

  /// What this process may still take by its limits on addresses and data, whichever leaves less; nil where there are
  /// none.
  package static func inProcess() -> AvailableMemory? {
    ProcessLimit.allCases.compactMap(\.available).min { $0.bytes < $1.bytes }
  }

  /// Checks that one process may take so much now.
  ///
  /// - Parameters:
  ///   - bytes: The bytes.
  ///   - what: What takes them, in the plural, as a message begins.
  ///   - remedy: What would do.
  /// - Throws: `TrainingError` where there is less.
  package static func require(_ bytes: Int, for what: String, remedy: String) throws {
    for available in [onHost(), inProcess()].compactMap({ $0 }) where available.bytes < bytes {
      throw TrainingError(
        "\(what) take \(Wording.bytes(bytes)) of memory, but \(Wording.bytes(available.bytes)) are available "
          + "(\(available.source)); \(remedy)")
    }
  }

  /// Bytes that a process takes once MPI has started, besides what its buffers are known to take: the stacks of its
  /// threads, and what Open MPI and HDF5 map later.
  static let reserve = 32_000_000

  /// Checks that the limits of this process let MPI start: with too little memory Open MPI crashes, or goes on without some
  /// of its components. Call before MPI starts, and before there are threads.
  ///
  /// - Throws: `TrainingError` where they are too low.
  package static func requireToStart() throws {
    for limit in ProcessLimit.allCases {
      guard let available = limit.available else { continue }
      guard available.bytes >= limit.neededToStart else {
        throw TrainingError(
          "the system grants a process \(Wording.bytes(available.bytes)) more (\(available.source)), but Open MPI and "
            + "HDF5 alone take up to \(Wording.bytes(limit.neededToStart)); raise the limit")
      }
      st_share_heap()
    }
  }

  /// A limit of a process.
  private enum ProcessLimit: CaseIterable {
    case addresses, data

    /// What this process may still take by it; nil where there is no limit.
    var available: AvailableMemory? {
      let (resource, used, source) =
        switch self {
        case .addresses: (RLIMIT_AS, processPages(0), "ulimit -v")
        case .data: (RLIMIT_DATA, processPages(5), "ulimit -d")
        }
      var limit = rlimit()
      guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur <= Int.max else {
        return nil
      }
      return AvailableMemory(bytes: max(0, Int(limit.rlim_cur) - used), source: source)
    }

    /// The bytes that a process takes in a job of a small model on two ranks, rounded up: measured with Open MPI 4.1.4 and
    /// HDF5 1.10.8, 141 MB and 43 MB.
    var neededToStart: Int {
      switch self {
      case .addresses: 160_000_000
      case .data: 48_000_000
      }
    }
  }

  /// The bytes of this process that are in memory.
  package static func resident() -> Int { processPages(1) }

  /// A number of `/proc/self/statm`, in bytes.
  private static func processPages(_ index: Int) -> Int {
    let numbers = text("/proc/self/statm")?.split(separator: " ") ?? []
    return (numbers.count > index ? Int(numbers[index]) ?? 0 : 0) * sysconf(Int32(_SC_PAGESIZE))
  }

  /// What each control group above this process has left that limits memory, of either version. Files that are in memory
  /// only to be read again give way.
  private static func controlGroups(root: String) -> [AvailableMemory] {
    (text("\(root)/proc/self/cgroup") ?? "").split(separator: "\n").flatMap { line -> [AvailableMemory] in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return [] }
      if fields[0] == "0" {
        return ancestors(of: fields[2]).compactMap {
          remainder("/sys/fs/cgroup\($0)", root: root, limit: "memory.max", use: "memory.current")
        }
      }
      guard fields[1].split(separator: ",").contains("memory") else { return [] }
      return ancestors(of: fields[2]).compactMap {
        remainder(
          "/sys/fs/cgroup/memory\($0)", root: root, limit: "memory.limit_in_bytes",
          use: "memory.usage_in_bytes")
      }
    }
  }

  /// A path and those above it, up to the root, which is empty.
  private static func ancestors(of path: Substring) -> [String] {
    let names = path.split(separator: "/")
    return (0...names.count).map { names.prefix($0).map { "/\($0)" }.joined() }
  }

  private static func remainder(_ directory: String, root: String, limit: String, use: String)
    -> AvailableMemory?
  {
    let path = root + directory
    guard let most = number("\(path)/\(limit)"), let used = number("\(path)/\(use)") else { return nil }
    let files = ["inactive_file", "active_file"].reduce(0) { sum, key in
      sum
        + (value(of: "total_\(key)", in: "\(path)/memory.stat")
          ?? value(of: key, in: "\(path)/memory.stat") ?? 0)
    }
    return AvailableMemory(bytes: max(0, most - used + files), source: "\(directory)/\(limit)")
  }

  /// The number behind a word at the start of a line.
  private static func value(of key: String, in path: String) -> Int? {
    for line in (text(path) ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count > 1, words[0] == key { return Int(words[1]) }
    }
    return nil
  }

  private static func number(_ path: String) -> Int? {
    text(path).flatMap { Int($0.prefix { $0 != "\n" }) }
  }

  private static func text(_ path: String) -> String? {
    (try? Files.read(path)).map { String(decoding: $0, as: UTF8.self) }
  }
}
