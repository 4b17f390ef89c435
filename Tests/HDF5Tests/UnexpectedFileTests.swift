import Glibc
import HDF5
import TestSupport
import Testing

/// Files that are not what their reader takes them for.
@Suite struct UnexpectedFileTests {
  @Test func filesThatCannotBeOpened() throws {
    try withTemporaryDirectory { directory throws in
      expectError("\(directory)/none.h5: ", "No such file") { _ = try File.open("\(directory)/none.h5") }
      expectError(directory, "directory") { _ = try File.open(directory) }
      symlink("loop.h5", "\(directory)/loop.h5")
      expectError("loop.h5: ", "symbolic links") { _ = try File.open("\(directory)/loop.h5") }
      expectError("/dev/null", "is a device, not an HDF5 file") { _ = try File.open("/dev/null") }
      let path = "\(directory)/x.h5"
      try writeBytes([], to: path)
      expectError(path, "is empty") { _ = try File.open(path) }
      try writeBytes(Array("not hdf5, but long enough to hold a signature".utf8), to: path)
      expectError(path, "not an HDF5 file") { _ = try File.open(path) }
      expectError(path, "exists") { _ = try File.create(path) }
      expectError("\(directory)/no/x.h5", "No such file") { _ = try File.create("\(directory)/no/x.h5") }
    }
  }

  @Test func missingAndMistakenObjects() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      try makeFile(path) { file throws in
        try file.write("parameters/head.weight", [1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        try file.write("names", strings: ["a"])
        try file.write("tokens", [3, -1] as [Int64])
        try file.write("half", [1.5, 2] as [Double])
        try file.attributes.set("kind", "checkpoint")
        try file.attributes.set("version", 7)
        try file.attributes.set("list", [1, 2])
      }
      let file = try File.open(path)
      expectError(path, "\"parameters/head.bias\"") { _ = try file.dataset("parameters/head.bias") }
      expectError(path, "/parameters: ", "not a dataset") { _ = try file.dataset("parameters") }
      expectError(path, "/names: ", "not a group") { _ = try file.group("names") }
      expectError(path, "not a path") { _ = try file.dataset("/names") }
      expectError(path, "not a path") { _ = try file.exists("parameters/./head.weight") }
      let weight = try file.dataset("parameters/head.weight")
      try weight.require(shape: [2, 3])
      try weight.require(rank: 2)
      expectError(path, "/parameters/head.weight", "[3, 2]", "[2, 3]") { try weight.require(shape: [3, 2]) }
      expectError(path, "/parameters/head.weight", "1 dim", "[2, 3]") { try weight.require(rank: 1) }
      expectError("head.weight", "5", "6") {
        var buffer = [Float](repeating: 0, count: 5)
        try buffer.withUnsafeMutableBufferPointer { try weight.read(into: $0) }
      }
      expectError("head.weight", "1..<3", "2") { _ = try weight.readArray(of: Float.self, rows: 1..<3) }
      expectError("head.weight", "expected strings", "float32") { _ = try weight.readStrings() }
      expectError("names", "expected float32", "strings") {
        _ = try file.dataset("names").readArray(of: Float.self)
      }

      let attributes = file.attributes
      expectError(path, "no attribute \"kin\"") { _ = try attributes.string("kin") }
      expectError(path, "\"version\"", "string", "int64") { _ = try attributes.string("version") }
      expectError(path, "\"kind\"", "integers", "string[10]") { _ = try attributes.integer("kind") }
      expectError(path, "\"kind\"", "numbers", "string[10]") { _ = try attributes.number("kind") }
      expectError(path, "\"list\"", "one value", "2") { _ = try attributes.integer("list") }
      expectError(path, "\"version\"", "0 or 1", "7") { _ = try attributes.flag("version") }
    }
  }

  /// Elements of another type are converted where every value fits, and only there.
  @Test func conversions() throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/x.h5"
      try makeFile(path) { file throws in
        try file.write("tokens", [3, -1, 70_000] as [Int64])
        try file.write("large", [1 << 40] as [Int64])
        try file.write("whole", [2, -3] as [Double])
        try file.write("third", [1.0 / 3, 1e300] as [Double])
        try file.write("bytes", [0, 255] as [UInt8])
        try file.write("unsigned", [UInt64.max])
      }
      let file = try File.open(path)
      #expect(try file.dataset("tokens").readArray(of: Int32.self) == [3, -1, 70_000])
      #expect(try file.dataset("tokens").readArray(of: Float.self) == [3, -1, 70_000])
      #expect(try file.dataset("whole").readArray(of: Int32.self) == [2, -3])
      #expect(try file.dataset("third").readArray(of: Float.self, rows: 0..<1) == [Float(1.0 / 3)])
      #expect(try file.dataset("bytes").readArray(of: Int32.self) == [0, 255])
      #expect(try file.dataset("bytes").readArray(of: Double.self) == [0, 255])
      expectError("/tokens", "int64", "does not fit uint16") {
        _ = try file.dataset("tokens").readArray(of: UInt16.self)
      }
      expectError("/large", "does not fit int32") { _ = try file.dataset("large").readArray(of: Int32.self) }
      expectError("/third", "does not fit int64") { _ = try file.dataset("third").readArray(of: Int64.self) }
      expectError("/third", "does not fit float32") {
        _ = try file.dataset("third").readArray(of: Float.self)
      }
      expectError("/unsigned", "does not fit int64") {
        _ = try file.dataset("unsigned").readArray(of: Int64.self)
      }
    }
  }

  @Test func whatCannotBeStored() throws {
    try withTemporaryDirectory { directory throws in
      let file = try File.create("\(directory)/x.h5")
      expectError("/words", "U+0000") { try file.write("words", strings: ["a\u{0}b"]) }
      expectError("\"kind\"", "U+0000") { try file.attributes.set("kind", "\u{0}") }
      try file.write("x", [1] as [Float])
      expectError("/x: ", "exists") { try file.write("x", [1] as [Float]) }
      // A writer that has gone on after a failure must not have its file taken for a good one.
      expectError("earlier write failed") { try file.close() }
      expectError("has been closed") { _ = try file.exists("x") }
    }
  }
}
