import HDF5
import TestSupport
import Testing

@Suite struct RoundTripTests {
  /// Writes by `write`, closes, opens again and lets `check` look.
  private func roundTrip(write: (File) throws -> Void, check: (File) throws -> Void) throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/file.h5"
      let file = try File.create(path)
      try write(file)
      try file.close()
      let reopened = try File.open(path)
      try reopened.verify()
      try check(reopened)
      try reopened.close()
    }
  }

  /// The same values of every element type, in each way of storing them: with the header, in chunks, compressed.
  @Test(arguments: [7, 5_000, 300_000], [false, true])
  func everyElementType(count: Int, compressed: Bool) throws {
    func check<T: Storable & Equatable>(_ value: (Int) -> T) throws {
      let values = (0..<count).map(value)
      try roundTrip { file throws in
        try file.write("a/b.c/values", values, compressed: compressed)
      } check: { file throws in
        let dataset = try file.dataset("a/b.c/values")
        #expect(dataset.shape == [count])
        #expect(dataset.elementType == T.elementType)
        #expect(try dataset.readArray(of: T.self) == values)
      }
    }
    try check { Float($0) / 3 }
    try check { Double($0) / 3 }
    try check { UInt8(truncatingIfNeeded: $0) }
    try check { UInt16(truncatingIfNeeded: $0 &* 7) }
    try check { Int32($0) * -5 }
    try check { Int64($0) * -5_000_000_000 }
    try check { UInt64.max - UInt64($0) }
  }

  @Test func shapesAndRows() throws {
    let values = (0..<(40 * 3 * 50)).map { Float($0) }
    try roundTrip { file throws in
      try file.write("x", values, shape: [40, 3, 50])
      try file.write("scalar", [Double.pi], shape: [])
      try file.write("empty", [] as [Float], shape: [0, 4])
    } check: { file throws in
      let x = try file.dataset("x")
      #expect(x.shape == [40, 3, 50])
      #expect(x.rowCount == 40)
      #expect(x.rowSize == 150)
      #expect(try x.readArray(of: Float.self, rows: 7..<9) == Array(values[1050..<1350]))
      #expect(try x.readArray(of: Float.self, rows: 9..<9) == [])
      #expect(try file.dataset("scalar").shape == [])
      #expect(try file.dataset("scalar").readArray(of: Double.self) == [.pi])
      #expect(try file.dataset("empty").shape == [0, 4])
      #expect(try file.dataset("empty").readArray(of: Float.self) == [])
    }
  }

  /// Blocks of other sizes than the chunks', appended one after another, and rows written out of order.
  @Test(arguments: [false, true])
  func growsByBlocks(compressed: Bool) throws {
    try roundTrip { file throws in
      let tokens = try file.createDataset(
        "tokens", of: UInt16.self, shape: [0], growing: true, compressed: compressed)
      for start in stride(from: 0, to: 500_000, by: 7_001) {
        try tokens.append((start..<min(start + 7_001, 500_000)).map { UInt16(truncatingIfNeeded: $0) })
      }
      let states = try file.createDataset("states", of: Float.self, shape: [0, 3], growing: true)
      try states.append([1, 2, 3, 4, 5, 6] as [Float])
      try states.append([7, 8, 9] as [Float])
      #expect(states.shape == [3, 3])
      try [Float](repeating: 0, count: 3).withUnsafeBufferPointer { try states.write($0, rows: 1..<2) }
    } check: { file throws in
      #expect(
        try file.dataset("tokens").readArray(of: UInt16.self)
          == (0..<500_000).map { UInt16(truncatingIfNeeded: $0) })
      #expect(
        try file.dataset("tokens").readArray(of: Int32.self, rows: 99_990..<100_010)
          == (99_990..<100_010).map { Int32($0 & 0xffff) })
      #expect(try file.dataset("states").readArray(of: Float.self) == [1, 2, 3, 0, 0, 0, 7, 8, 9])
    }
  }

  @Test func attributesOfEveryKind() throws {
    let long = String(repeating: "model: lstm # größer\n", count: 10_000)
    try roundTrip { file throws in
      try file.attributes.set("kind", "checkpoint")
      try file.attributes.set("empty", "")
      try file.attributes.set("long", long)
      try file.attributes.set("version", 3)
      try file.attributes.set("loss", 1.5)
      try file.attributes.set("done", true)
      try file.attributes.set("cursors", [1, -2, 3])
      try file.attributes.set("losses", [0.5, .infinity])
      let group = try file.createGroup("splits/train")
      try group.attributes.describe("the text to learn from", units: "tokens")
    } check: { file throws in
      let attributes = file.attributes
      #expect(try attributes.string("kind") == "checkpoint")
      #expect(try attributes.string("empty") == "")
      #expect(try attributes.string("long") == long)
      #expect(try attributes.integer("version") == 3)
      #expect(try attributes.number("version") == 3)
      #expect(try attributes.number("loss") == 1.5)
      #expect(try attributes.flag("done"))
      #expect(try attributes.integers("cursors") == [1, -2, 3])
      #expect(try attributes.numbers("losses") == [0.5, .infinity])
      #expect(try !attributes.contains("missing"))
      #expect(try file.group("splits").group("train").attributes.string("units") == "tokens")
    }
  }

  @Test func stringsOfAnyLength() throws {
    let words = ["the", "", "Schöne", "🙂", "a b ", "\n"]
    try roundTrip { file throws in
      try file.write("words", strings: words)
      try file.write("none", strings: [])
    } check: { file throws in
      #expect(try file.dataset("words").readStrings() == words)
      #expect(try file.dataset("words").elementType == .string(bytes: 7))
      #expect(try file.dataset("none").readStrings() == [])
    }
  }

  @Test func namesInOrder() throws {
    try roundTrip { file throws in
      for index in (0..<200).reversed() { try file.write("parameters/rnn.weight_\(index)", [Float(index)]) }
      try file.createGroup("empty")
      try file.write("a", [UInt8(1)])
    } check: { file throws in
      #expect(try file.childNames() == ["a", "empty", "parameters"])
      let expected = (0..<200).map { "rnn.weight_\($0)" }.sorted()
      #expect(try file.group("parameters").childNames() == expected)
      #expect(try file.datasetPaths() == ["a"] + expected.map { "parameters/\($0)" })
      #expect(try file.exists("parameters/rnn.weight_7"))
      #expect(try !file.exists("parameters/rnn.weight_200"))
      #expect(try !file.exists("missing/rnn.weight_7"))
      #expect(try file.dataset("parameters/rnn.weight_7").name == "/parameters/rnn.weight_7")
    }
  }

  /// The same content makes the same bytes, whenever it is written.
  @Test func sameContentSameBytes() throws {
    func bytes(after garbage: UInt8) throws -> [UInt8] {
      try withTemporaryDirectory { directory throws in
        // Memory that the library may be given next has something in it.
        try writeBytes([UInt8](repeating: garbage, count: 256 << 10), to: "\(directory)/garbage")
        let file = try File.create("\(directory)/file.h5")
        try file.write("parameters/weight", [Float](repeating: 0.5, count: 10_000), shape: [100, 100])
        try file.createDataset("tokens", of: UInt8.self, shape: [0], growing: true).append(
          [1, 2, 3] as [UInt8])
        try file.attributes.set("step", 7)
        try file.close()
        return try readBytes("\(directory)/file.h5")
      }
    }
    #expect(try bytes(after: 1) == bytes(after: 2))
  }
}
