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

  /// What this process may still take by its limit on addresses; nil where there is none.
  package static func inProcess() -> AvailableMemory? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur <= Int.max else {
      return nil
    }
    return AvailableMemory(
      bytes: max(0, Int(limit.rlim_cur) - processPages(0)), source: "ulimit -v")
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
