import HDF5
import Sequences
import TestSupport
import Testing

/// Arrays as h5py writes them; see Fixtures/make_fixtures.py.
@Suite struct HDF5ImportTests {
  private static let fixture: String =
    #filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex) + "../Fixtures/arrays.h5"
  private static let thirds = [0.4, 0.3, 0.3]

  private func parts(_ files: String...) throws -> PartPlan {
    .fractions(files, try SplitPlan(fractions: Self.thirds, measure: nil))
  }

  private func parts() throws -> PartPlan { try parts(Self.fixture) }

  @Test func `frames of any kind are normalised by the training part`() throws {
    try imported([:]) { _ in
      try HDF5Import(
        parts(),
        arrays: ArrayNames(inputs: "/group/x", targets: "half", weights: "/weights", offsets: "/offsets"))
    } _: { dataset, remarks throws in
      #expect(try dataset.frames(.input) == (0..<16).map { Float($0) / 2 })
      #expect(try dataset.frames(.target) == (0..<8).map { Float($0) })
      #expect(try dataset.positionWeights() == [1, 0, 1, 1, 2, 1, 1, 0])
      let columns = try dataset.columns(.input)
      #expect(columns.names == ["x 0", "x 1"] && columns.means == [1, 1.5])
      #expect(try dataset.columns(.target).names == ["half"])
      #expect(Array(dataset.streams.offsets) == [0, 3, 4, 8])
      #expect(dataset.ends == ["train": 0..<3, "validation": 3..<4, "test": 4..<8] && remarks.isEmpty)
      #expect(dataset.origin.files.map(\.name) == [Self.fixture])
    }
  }

  @Test func `integers are tokens, and a row a stream is due at its end`() throws {
    for size in [nil, 9] {
      try imported([:]) { _ in
        try HDF5Import(
          parts(),
          arrays: ArrayNames(inputs: "tokens", targets: "classes", offsets: "offsets", initial: "initial"),
          vocabularySize: size)
      } _: { dataset, _ throws in
        #expect(try dataset.tokens(.input) == [4, 0, 1, 3, 1, 0, 2, 3])
        #expect(try dataset.spellings(.input) == (0..<(size ?? 5)).map { "\($0)" })
        #expect(try dataset.spellings(.target) == ["0", "1"])
        #expect(try dataset.tokens(.target) == [1, 1, 1, 0, 1, 1, 1, 1])
        #expect(try dataset.positionWeights() == [0, 0, 1, 1, 0, 0, 0, 1])
        #expect(try dataset.frames(.initial) == [1, 2, 3, 3, 2, 1, 0, 0, 1])
        #expect(try dataset.columns(.initial).means == [1, 2, 3])
      }
    }
  }

  @Test func `binary frames stay as they are`() throws {
    try imported([:]) { _ in
      try HDF5Import(
        .fractions([Self.fixture], SplitPlan(fractions: [0.7, 0.3], measure: .stream)),
        arrays: ArrayNames(inputs: "keys", offsets: "offsets"), horizon: 2, isBinary: true)
    } _: { dataset, _ throws in
      let columns = try dataset.columns(.input)
      #expect(columns.isBinary && !columns.isNormalized && dataset.description.horizon == 2)
      #expect(try dataset.frames(.input) == [0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0])
    }
  }

  @Test func `parts are what an array says of streams or positions`() throws {
    try imported([:]) { _ in
      try HDF5Import(
        .named("/parts", [Self.fixture]),
        arrays: ArrayNames(inputs: "tokens", targets: "classes", offsets: "offsets", initial: "initial"))
    } _: { dataset, _ throws in
      #expect(try dataset.tokens(.input) == [4, 0, 1, 1, 0, 2, 3, 3])
      #expect(try dataset.tokens(.target) == [1, 1, 1, 1, 1, 1, 1, 0])
      #expect(try dataset.frames(.initial) == [1, 2, 3, 0, 0, 1, 3, 2, 1])
      #expect(dataset.ends == ["train": 0..<3, "validation": 3..<7, "test": 7..<8])
    }
    try imported([:]) { _ in
      try HDF5Import(.named("weights", [Self.fixture]), arrays: ArrayNames(inputs: "tokens", targets: "half"))
    } _: { dataset, _ throws in
      #expect(try dataset.tokens(.input) == [0, 3, 4, 1, 3, 0, 2, 1])
      #expect(dataset.ends == ["train": 0..<2, "validation": 2..<7, "test": 7..<8])
    }
  }

  @Test func `NaN is missing`() throws {
    try withArrays { file throws in
      try file.write("x", [1, .nan, 3, 5, 7, 9] as [Float])
      try file.write("y", [1, 2, 3, .nan, 5, 6, 7, 8, 9, .nan, .nan, 12] as [Double], shape: [6, 2])
    } _: { path throws in
      try imported([:]) { _ in
        try HDF5Import(parts(path), arrays: ArrayNames(inputs: "x", targets: "y"))
      } _: { dataset, _ throws in
        #expect(try dataset.frames(.input) == [1, 0, 1, 1, 3, 0, 5, 0, 7, 0, 9, 0])
        #expect(try dataset.frames(.weight) == [1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1])
        #expect(try dataset.frames(.target) == [1, 2, 3, 2, 5, 6, 7, 8, 9, 2, 2, 12])
      }
    }
  }

  private func withArrays(_ write: (File) throws -> Void, _ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { (directory: String) throws -> Void in
      let path = "\(directory)/arrays.h5"
      let file = try File.create(path)
      try write(file)
      try file.close()
      try body(path)
    }
  }

  /// Arrays that can't be imported.
  struct BadArrays: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var arrays = ArrayNames(inputs: "tokens", offsets: "offsets")
    var vocabularySize: Int?
    var isBinary = false
    var part: String?
    let message: String
  }

  private static let bad = [
    BadArrays(
      testDescription: "no such array", arrays: ArrayNames(inputs: "nothing"),
      message: "arrays.h5: has no dataset \"nothing\""),
    BadArrays(
      testDescription: "text", arrays: ArrayNames(inputs: "parts"),
      message: "/parts: expected float64, found strings"),
    BadArrays(
      testDescription: "a token outside the vocabulary", vocabularySize: 4,
      message: "tokens: row 0 is 4, expected 0 to 3: integers are tokens"),
    BadArrays(
      testDescription: "a vocabulary of frames", arrays: ArrayNames(inputs: "half"), vocabularySize: 4,
      message: "half holds real numbers, which have no vocabulary; leave its size out"),
    BadArrays(
      testDescription: "rows of integers", arrays: ArrayNames(inputs: "keys"),
      message: "keys holds rows of 2 integers, and one integer a position is a token; "),
    BadArrays(
      testDescription: "nothing binary", isBinary: true,
      message: "neither inputs nor targets are frames of 0 and 1"),
    BadArrays(
      testDescription: "offsets of something else", arrays: ArrayNames(inputs: "tokens", offsets: "classes"),
      message: "arrays.h5: classes: goes from 1 to 1, expected from 0 to 8, the number of positions"),
    BadArrays(
      testDescription: "an empty stream", arrays: ArrayNames(inputs: "half", offsets: "half"),
      message: "arrays.h5: half: holds no integers, expected where streams begin"),
    BadArrays(
      testDescription: "targets of other streams", arrays: ArrayNames(inputs: "tokens", targets: "classes"),
      message: "arrays.h5: classes: has 3 rows, expected 8 (one a position) or 1 (one a stream)"),
    BadArrays(
      testDescription: "weights of positions for streams",
      arrays: ArrayNames(inputs: "tokens", targets: "classes", weights: "weights", offsets: "offsets"),
      message: "arrays.h5: weights: has 8 rows, expected 3 (one a stream)"),
    BadArrays(
      testDescription: "weights of another width",
      arrays: ArrayNames(inputs: "tokens", targets: "half", weights: "group/x"),
      message: "group/x: has rows of 2, expected one weight a row, or 1, one for each unit of the target"),
    BadArrays(
      testDescription: "initial rows of positions", arrays: ArrayNames(inputs: "tokens", initial: "half"),
      message: "arrays.h5: half: has 8 rows, expected 1 (one a stream)"),
    BadArrays(
      testDescription: "parts of nothing", part: "tokens",
      message: "arrays.h5: tokens: row 0 is 4.0, expected 0 (train), 1 (validation) or 2 (test)"),
  ]

  @Test(arguments: bad) func `bad arrays are refused`(_ bad: BadArrays) throws {
    try expectRefusal([:], bad.message) { _ in
      try HDF5Import(
        bad.part.map { .named($0, [Self.fixture]) } ?? parts(), arrays: bad.arrays,
        vocabularySize: bad.vocabularySize, isBinary: bad.isBinary)
    }
  }

  @Test func `what the number type or shape doesn't allow is refused`() throws {
    func refused(_ message: String, _ write: (File) throws -> Void) throws {
      try withArrays(write) { path in
        try expectRefusal([:], message) { _ in
          try HDF5Import(parts(path), arrays: ArrayNames(inputs: "x", offsets: "o"))
        }
      }
    }
    let offsets = [0, 2, 4, 4, 8]
    try refused("arrays.h5: o: stream 2 goes from 4 to 4; every stream must have a position") { file in
      try file.write("x", [Float](repeating: 0, count: 8))
      try file.write("o", offsets)
    }
    try refused("arrays.h5: x: row 1, column 1, is inf, expected a number that float32 can hold") { file in
      try file.write("x", [1, 2, 3, .infinity] as [Float], shape: [2, 2])
      try file.write("o", [0, 1, 2])
    }
    try refused("x: row 1 is -1, expected 0 to 3: integers are tokens") { file in
      try file.write("x", [1, -1, 2, 3] as [Int8])
      try file.write("o", [0, 1, 2, 4])
    }
    try refused("x: the largest number is 4000000000, which would make a vocabulary of 4000000001 tokens") {
      file in
      try file.write("x", [1, 4_000_000_000, 2, 3] as [Int64])
      try file.write("o", [0, 1, 2, 4])
    }
    try refused("arrays.h5: x: has shape [2, 1, 1], expected [N] or [N, D]") { file in
      try file.write("x", [1, 2] as [Float], shape: [2, 1, 1])
      try file.write("o", [0, 1, 2])
    }
  }
}
