import FileSystem
import Glibc

/// The memory of this host.
enum HostMemory {
  /// The bytes that so many ranks could share: what is available, within the limits of the job's control groups (which
  /// count files in the cache too, so their use says little), and of `/dev/shm`.
  static func room(ranks: Int) -> Int {
    ([available] + limits + (ranks > 1 ? [sharedRoom] : [])).compactMap { $0 }.min() ?? 0
  }

  private static var available: Int? {
    let line = lines(of: "/proc/meminfo").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }

  /// The limits of the process's control groups, and of those above them.
  private static var limits: [Int] {
    lines(of: "/proc/self/cgroup").flatMap { line -> [Int] in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, fields[1].isEmpty || fields[1] == "memory" else { return [] }
      let (root, file) =
        fields[1].isEmpty
        ? ("/sys/fs/cgroup", "memory.max") : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      let names = fields[2].split(separator: "/").map { String($0) }
      return (0...names.count).compactMap { depth in
        let path = ([root] + names.prefix(depth) + [file]).joined(separator: "/")
        return lines(of: path).first.flatMap { Int($0) }
      }
    }
  }

  private static var sharedRoom: Int? {
    var status = statvfs()
    guard statvfs("/dev/shm", &status) == 0 else { return nil }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  private static func lines(of path: String) -> [Substring] {
    let bytes = (try? Files.read(path)) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }
}
