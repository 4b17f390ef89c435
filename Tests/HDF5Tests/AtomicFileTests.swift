import Glibc
import HDF5
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  private struct Interruption: Error {}

  private func value(_ path: String) throws -> [Int32] { try File.open(path).dataset("x").readArray() }

  @Test func aFileIsWholeOrAbsent() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      // Where something fails, before or after the file was written, nothing is left.
      #expect(throws: Interruption.self) {
        try File.createAtomically(path, existing: .refuse) { file throws in
          try file.write("x", [1] as [Int32])
          throw Interruption()
        }
      }
      #expect(throws: Interruption.self) {
        try File.createAtomically(path, existing: .refuse) {
          try $0.write("x", [1] as [Int32])
        } check: { _ in
          throw Interruption()
        }
      }
      #expect(try directoryEntries(directory) == [])

      try File.createAtomically(path, existing: .refuse) { file throws in
        try file.write("x", [1] as [Int32])
        #expect(access(path, F_OK) != 0)
      } check: { file throws in
        #expect(try file.dataset("x").readArray(of: Int32.self) == [1])
        #expect(access(path, F_OK) != 0)
      }
      #expect(try directoryEntries(directory) == ["x.h5"])
      #expect(try value(path) == [1])
    }
  }

  @Test func anExistingFile() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      try File.createAtomically(path, existing: .refuse) { try $0.write("x", [1] as [Int32]) }
      expectError(path, "already exists") {
        try File.createAtomically(path, existing: .refuse) { _ throws in Issue.record("it was begun") }
      }
      #expect(throws: Interruption.self) {
        try File.createAtomically(path, existing: .replace) { _ throws in throw Interruption() }
      }
      #expect(try value(path) == [1])
      try File.createAtomically(path, existing: .replace) { try $0.write("x", [2] as [Int32]) }
      #expect(try value(path) == [2])
      // Another process was quicker.
      let other = "\(directory)/y.h5"
      expectError(other, "already exists") {
        try File.createAtomically(other, existing: .refuse) { _ throws in try writeBytes([7], to: other) }
      }
      #expect(try readBytes(other) == [7])
      #expect(try directoryEntries(directory) == ["x.h5", "y.h5"])
    }
  }

  @Test func `what a killed process has left is removed, what a living one makes is not`() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      var temporary = ""
      try File.createAtomically(path, existing: .replace) { file throws in
        temporary = try #require(file.location.split(separator: "/").last.map(String.init))
      }
      // The process's number stands between the host's name and a random number.
      let own = "\(getpid())-"
      let process = try RunningProcess("true")
      _ = try process.wait()
      let left = temporary.replacing(own, with: "\(process.id)-")
      let others = [
        temporary, temporary.replacing(".x.h5.", with: ".y.h5.").replacing(own, with: "\(process.id)-"),
        left.replacing(".\(process.id)-", with: "-elsewhere.\(process.id)-"),
      ]
      for name in others + [left] { try writeBytes([1], to: "\(directory)/\(name)") }
      try File.createAtomically(path, existing: .replace) { _ in }
      #expect(try directoryEntries(directory) == (others + ["x.h5"]).sorted())
    }
  }

  @Test func `a file is changed wholly or not at all`() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      try makeFile(path) { try $0.attributes.set("name", "old") }
      chmod(path, 0o640)
      #expect(throws: Interruption.self) {
        try File.changeAtomically(path) { file throws in
          try file.attributes.remove("name")
          throw Interruption()
        }
      }
      #expect(try File.open(path).attributes.string("name") == "old")
      try File.changeAtomically(path) { file throws in
        try file.attributes.remove("name")
        try file.attributes.set("name", "new")
      }
      #expect(try File.open(path).attributes.string("name") == "new")
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
      #expect(try directoryEntries(directory) == ["x.h5"])
    }
  }

  /// Errors name the file that was asked for, and a failed call is enough for nothing to be made.
  @Test func failures() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      expectError("\(path): ", "earlier write failed") {
        try File.createAtomically(path, existing: .refuse) { file throws in
          try file.write("x", [1] as [Int32])
          _ = try? file.write("x", [1] as [Int32])
        }
      }
      #expect(try directoryEntries(directory) == [])
      expectError("\(directory)/none/x.h5: ", "No such file") {
        try File.createAtomically("\(directory)/none/x.h5", existing: .refuse) { _ in }
      }
    }
  }

  /// A disk that is full: nothing is committed, and what was there stays. A limit on the size of files acts for it.
  @Test(arguments: [64, 1_000]) func aFullDisk(limitKiB: Int) throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      try makeFile(path) { try $0.write("x", [1] as [Int32]) }
      let result = try runProcess(
        "bash",
        ["-c", "ulimit -f \(limitKiB); exec \"$0\" \"$@\"", try builtProgram("MultiRank"), "full-disk", path])
      #expect(result.status == 1, "\(result)")
      #expect(result.output.contains("\(path): "), "\(result)")
      #expect(result.output.contains("File too large"), "\(result)")
      #expect(try value(path) == [1])
      #expect(try directoryEntries(directory) == ["x.h5"])
    }
  }
}
