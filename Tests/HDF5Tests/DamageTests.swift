import HDF5
import TestSupport
import Testing

/// Files that were good once.
@Suite struct DamageTests {
  private let values = (0..<20_000).map { Float($0) * 0.1 }

  /// A file with all ways of storing, as bytes.
  private func goodFile(_ path: String) throws -> [UInt8] {
    try makeFile(path) { file throws in
      try file.write("parameters/weight", values, shape: [100, 200])
      try file.write("parameters/bias", Array(values[..<100]))
      try file.write("tokens", (0..<50_000).map { UInt16(truncatingIfNeeded: $0) }, compressed: true)
      try file.write("words", strings: ["the", "cat"])
      try file.attributes.set("kind", "checkpoint")
    }
    return try readBytes(path)
  }

  /// Whether the file at `path` can be read through without an error, and then, whether it says what was written.
  private func readsWrong(_ path: String) -> (isRead: Bool, isWrong: Bool) {
    do {
      let file = try File.open(path)
      try file.verify()
      let isRight =
        try file.dataset("parameters/weight").readArray(of: Float.self) == values
        && file.dataset("parameters/bias").readArray(of: Float.self) == Array(values[..<100])
        && file.dataset("tokens").readArray(of: UInt16.self)
          == (0..<50_000).map { UInt16(truncatingIfNeeded: $0) }
        && file.dataset("words").readStrings() == ["the", "cat"]
        && file.attributes.string("kind") == "checkpoint"
      return (true, !isRight)
    } catch { return (false, false) }
  }

  /// A bit that has changed is noticed, or it stood where nothing is read.
  @Test func changedBitsAreNoticed() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      let good = try goodFile(path)
      #expect(readsWrong(path) == (true, false))
      var refused = 0
      // Densely over the metadata at the start, then over the whole file.
      let positions =
        Array(stride(from: 0, to: 2_400, by: 13)) + Array(stride(from: 2_400, to: good.count, by: 997))
      for (number, position) in positions.enumerated() {
        var bytes = good
        bytes[position] ^= 1 << (number % 8)
        try writeBytes(bytes, to: path)
        let (isRead, isWrong) = readsWrong(path)
        if isWrong { Issue.record("bit \(number % 8) of byte \(position) changed what is read") }
        if !isRead { refused += 1 }
      }
      #expect(refused > positions.count / 2, "\(refused) of \(positions.count)")
    }
  }

  @Test func damageIsNamed() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      var bytes = try goodFile(path)
      // The values of the matrix stand in the file as they are.
      let needle = values[5_000..<5_004].withUnsafeBytes { Array($0) }
      let position = try #require(bytes.firstRange(of: needle)).lowerBound
      bytes[position] ^= 4
      try writeBytes(bytes, to: path)
      let file = try File.open(path)
      expectError(path, "/parameters/weight", "damaged", "checksum") { try file.verify() }
      expectError("/parameters/weight", "damaged") {
        _ = try file.dataset("parameters/weight").readArray(of: Float.self)
      }
      #expect(try file.dataset("parameters/bias").readArray(of: Float.self, rows: 3..<4) == [values[3]])
    }
  }

  @Test func aTruncatedFileIsRefused() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      let good = try goodFile(path)
      for length in [1, 7, 8, 40, 96, 500, good.count / 2, good.count - 1] {
        try writeBytes(good[..<length], to: path)
        if length >= 48 {
          expectError(path, "truncated") { _ = try File.open(path) }
        } else {
          expectError(path) { _ = try File.open(path) }
        }
      }
    }
  }

  /// What a process leaves behind that ends before it has closed its file, in order as it may seem.
  @Test(arguments: ["exit", "kill"]) func anUnfinishedFileIsRefused(ending: String) throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      let result = try runProcess(try builtProgram("MultiRank"), ["unfinished-file", path, ending])
      #expect(result.status == (ending == "exit" ? 0 : 137), "\(result)")
      #expect(try readBytes(path).count > 1_000_000)
      expectError(path, "still being written, or its writer was stopped") { _ = try File.open(path) }
    }
  }
}
