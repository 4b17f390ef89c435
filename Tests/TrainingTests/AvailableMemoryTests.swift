import FileSystem
import TestSupport
import Testing
import Training

/// What the system says of its memory, from files made for it.
@Suite struct AvailableMemoryTests {
  private func available(_ files: [String: String]) throws -> AvailableMemory? {
    try withTemporaryDirectory { root in
      for (path, text) in files {
        try Files.makeDirectory(Files.directory(of: "\(root)/\(path)"))
        try writeBytes(text.utf8, to: "\(root)/\(path)")
      }
      return AvailableMemory.onHost(root: root)
    }
  }

  private let host = ["proc/meminfo": "MemTotal:       9000 kB\nMemAvailable:   3000 kB\n"]

  @Test func `a host without limits has what the kernel says`() throws {
    let found = try available(host)
    #expect(found?.bytes == 3_072_000)
    #expect(found?.source == "MemAvailable in /proc/meminfo")
    #expect(try available([:]) == nil)
  }

  @Test func `the tightest control group above the process counts, files that it only caches do not`() throws
  {
    let groups = [
      "proc/self/cgroup": "0::/job/step\n",
      "sys/fs/cgroup/job/step/memory.max": "max\n", "sys/fs/cgroup/job/step/memory.current": "100\n",
      "sys/fs/cgroup/job/memory.max": "1000000\n", "sys/fs/cgroup/job/memory.current": "700000\n",
      "sys/fs/cgroup/job/memory.stat": "anon 5\ninactive_file 30000\nactive_file 4000\n",
    ]
    let found = try available(host.merging(groups) { first, _ in first })
    #expect(found?.bytes == 334_000)
    #expect(found?.source == "/sys/fs/cgroup/job/memory.max")
  }

  @Test func `control groups of the first version are read too`() throws {
    let groups = [
      "proc/self/cgroup": "4:cpu:/x\n3:memory:/job\n",
      "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "500000\n",
      "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "100000\n",
      "sys/fs/cgroup/memory/job/memory.stat": "inactive_file 1\ntotal_inactive_file 20000\n",
    ]
    #expect(try available(host.merging(groups) { first, _ in first })?.bytes == 420_000)
  }
}
