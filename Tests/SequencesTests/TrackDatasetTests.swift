import Chunks
import HDF5
import Sequences
import TestSupport
import Testing

/// The parts of a dataset of tracks, as other programs write them: what may be left out is.
private func writeRaw(
  _ path: String, validation: [Int] = [3, 8], _ change: (File) throws -> Void = { _ in }
) throws {
  let file = try File.create(path)
  try file.write("offsets", [0, 3, 8])
  try file.write("splits/train", [0, 3])
  try file.write("splits/validation", validation)
  try change(file)
  try file.close()
}

private func writeFrames(_ file: File) throws {
  try file.write("input/values", (0..<16).map { Double($0) }, shape: [8, 2])
}

private func writeLabels(_ file: File, _ labels: [UInt8] = [0, 1, 2, 0, 1, 2, 0, 1]) throws {
  try file.write("target/values", labels)
  try file.write("target/vocabulary", strings: ["a", "b", "c"]).attributes.set("level", "label")
}

@Suite struct TrackDatasetTests {
  /// The message with which the dataset is refused when it is sealed, or "none".
  private func refusal(validation: [Int] = [3, 8], _ change: (File) throws -> Void) throws -> String {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try writeRaw(path, validation: validation, change)
      do {
        try SequenceDataset.seal(path)
        try SequenceDataset(path).verify()
        return "none"
      } catch {
        let message = "\(error)"
        #expect(message.hasPrefix("\(path): "))
        return String(message.dropFirst(path.utf8.count + 2))
      }
    }
  }

  @Test func `a dataset that another program made is sealed, with defaults for what it leaves out`() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/d.h5"
      try writeRaw(path) {
        try writeFrames($0)
        try writeLabels($0)
        try $0.write("weights", [0, 0, 1, 0, 0, 0, 0, 1])
        try $0.write("initial/values", [1, 0] as [UInt8])
        try $0.group("initial").attributes.set("kind", "frames")
        try $0.group("initial").attributes.set("binary", true)
      }
      try SequenceDataset.seal(path)
      let dataset = try SequenceDataset(path)
      try dataset.verify()
      #expect(dataset.formatVersion == 2)
      #expect(
        try dataset.description
          == DataDescription([
            .input: .frames(FrameColumns(["0", "1"])),
            .target: .tokens(Vocabulary(level: .label, spellings: ["a", "b", "c"])),
            .initial: .frames(FrameColumns(["0"], isBinary: true)),
          ]))
      #expect(dataset.description.horizon == 0)
      #expect(dataset.splits.map(\.streams.pairs) == [3, 5])
      #expect(try dataset.readFrames(.input, rows: 2..<4) == [4, 5, 6, 7])
    }
  }

  @Test func `what is missing or wrong is told, each in its place`() throws {
    #expect(try refusal { try writeFrames($0) } == "none")
    #expect(try refusal { try writeLabels($0) }.hasPrefix("is not a whole dataset: add /input/values"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.createGroup("target")
      } == "is not a whole dataset: add /target/values")
    #expect(
      try refusal { try $0.write("input/values", [0, 1, 2, 0, 1, 2, 0, 1]) }.hasPrefix(
        "is not a whole dataset: add /input/vocabulary (or the attribute \"kind\""))
    #expect(
      try refusal { try $0.write("input/values", [0, 1, 2] as [Float]) }.hasPrefix(
        "/offsets goes from 0 to 8, expected 0 to 3, the number of values"))
    #expect(
      try refusal {
        try writeFrames($0)
        try writeLabels($0, [0, 1])
      }.hasPrefix("/target/values has the shape [2], expected [8]: a row a position"))
    #expect(
      try refusal {
        try writeFrames($0)
        try writeLabels($0, [0, 1, 2, 3, 1, 2, 0, 1])
      }.hasPrefix("target 3 is 3, outside the vocabulary of 3"))
    #expect(
      try refusal {
        try $0.write("input/values", [0, 1, 2, 3, .nan, 5, 6, 7] as [Float])
        try $0.write("input/names", strings: ["speed"])
      }.hasPrefix("input 4, column 0 (speed), is nan, expected a finite number"))
    #expect(
      try refusal {
        try $0.write("input/values", [0, 1, 0, 1, 0.5, 1, 0, 1] as [Float])
        try $0.group("input").attributes.set("binary", true)
      }.hasPrefix("input 4, column 0 (0), is 0.5, expected 0 or 1"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.write("weights", [0, 1, 0, -1, 0, 0, 0, 1])
      }.hasPrefix("the weight of position 3 is -1.0, expected a finite number of 0 or more"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.write("input/scales", [1, 0])
      }.hasPrefix("/input: column 1 (1) has the mean 0.0 and the scale 0.0"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.write("input/names", strings: ["a", "b", "c"])
      }.hasPrefix("/input/values has the shape [8, 2], expected [8, 3]"))
    #expect(
      try refusal {
        try writeFrames($0)
        try writeLabels($0)
        try $0.write("weight/values", [Float](repeating: 1, count: 8))
      }.hasPrefix("the weight track holds frames of 1 column, the target 3 labels"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.attributes.set("horizon", 0)
      }.hasPrefix("the horizon is 0, expected 1 or more without a target track"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.attributes.set("horizon", 3)
      }.hasPrefix("split train has no stream of 4 positions or more"))
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.write("initial/values", [0, 1, 2] as [Float])
      }.hasPrefix("/initial/values has the shape [3], expected [2]: a row a stream"))
    #expect(
      try refusal {
        try $0.write("input/values", [Float](repeating: 0, count: 8))
        try $0.group("input").attributes.set("kind", "pictures")
      }.hasPrefix("/input: the kind of the track is \"pictures\", expected tokens or frames"))
    #expect(
      try refusal {
        try $0.write("input/values", [Float](repeating: 0, count: 8))
        try $0.group("input").attributes.set("kind", "tokens")
        try $0.write("input/vocabulary", strings: ["a"]).attributes.set("level", "label")
      }.hasPrefix("/input/values holds float32, expected whole numbers"))
  }

  @Test func `what is missing or wrong of pairs is told, each in its place`() throws {
    func write(_ file: File, offsets: [Int] = [0, 2, 3]) throws {
      try writeFrames(file)
      try file.write("source/values", [2, 0, 1])
      try file.write("source/vocabulary", strings: ["a", "b", "c"]).attributes.set("level", "label")
      try file.write("source/offsets", offsets)
    }
    #expect(try refusal { try write($0) } == "none")
    #expect(
      try refusal {
        try writeFrames($0)
        try $0.createGroup("source")
      } == "is not a whole dataset: add /source/offsets, /source/values")
    #expect(
      try refusal { try write($0, offsets: [0, 3]) }.hasPrefix(
        "there are 2 streams, but 1 sources; expected one a stream"))
    #expect(
      try refusal { try write($0, offsets: [1, 2, 3]) }.hasPrefix(
        "there are 2 streams, but 2 sources, the first from position 1; expected one a stream"))
    #expect(
      try refusal { try write($0, offsets: [0, 2, 2]) }.hasPrefix("/source/offsets: offsets must ascend"))
    #expect(
      try refusal { try write($0, offsets: [0, 1, 2]) }.hasPrefix(
        "/source/values has the shape [3], expected [2]: a row a position"))
    #expect(
      try refusal(validation: [4, 8]) { try write($0) }.hasPrefix("split validation cuts a pair in two"))
    #expect(
      try refusal {
        try $0.write("values", [0, 1, 0, 1, 0, 1, 0, 1])
        try $0.write("source/values", [2, 0, 1])
      }.hasPrefix("has /source; tracks are groups"))
  }

  @Test func `contents that don't fit each other are not written`() throws {
    let sample = try #require(
      TrackSample.all.first { $0.testDescription == "frames to frames, with weights of units" })
    func refusal(_ change: (inout DatasetContent) -> Void) throws -> String {
      try withTemporaryDirectory { directory in
        var content = sample.content
        change(&content)
        do { try content.write(to: "\(directory)/d.h5") } catch {
          #expect((try? directoryEntries(directory)) == [])
          return "\(error)"
        }
        return "none"
      }
    }
    let count = sample.content.offsets[40]
    #expect(try refusal { _ in } == "none")
    #expect(try refusal { $0.values[.target] = nil } == "there are no values of the track target")
    #expect(
      try refusal { $0.values[.initial] = .frames([]) }.hasPrefix("there are values of a track initial"))
    #expect(
      try refusal { $0.values[.input] = .frames([1, 2]) }
        == "the track input has 2 values, expected \(count * 3): \(count) rows of 3")
    #expect(
      try refusal { $0.values[.target] = .tokens([Int32](repeating: 0, count: 2 * count)) }.hasPrefix(
        "the track target is described as frames of 2 columns"))
    #expect(
      try refusal { $0.values[.target] = .frames([Float](repeating: .infinity, count: 2 * count)) }.hasPrefix(
        "target 0, column 0 (u), is inf"))
    #expect(
      try refusal { $0.positionWeights = [1] } == "there are 1 weights, expected \(count), one a position")
    #expect(try refusal { $0.offsets.removeFirst() }.hasPrefix("the first stream begins at position 1"))
    #expect(
      try refusal { $0.splits = [.init(name: "train", range: 0..<count + 1)] }.hasPrefix("split train 0..<"))
    #expect(
      try refusal { $0.splits = [.init(name: "train", range: 5..<5)] }.hasPrefix(
        "split train would have no targets"))
  }

  @Test func `the fingerprint is of all content but its origin`() throws {
    func fingerprint(_ change: (inout DatasetContent) throws -> Void) throws -> String {
      try withTemporaryDirectory { directory in
        var content = TrackSample.all[5].content
        try change(&content)
        try content.write(to: "\(directory)/d.h5")
        return try SequenceDataset("\(directory)/d.h5").fingerprint
      }
    }
    func columns(_ name: String = "x", _ unit: String = "m", mean: Float = 1.5, scale: Float = 2) throws
      -> TrackDescription
    {
      .frames(
        try FrameColumns(
          [name, "y", "z"], units: [unit, "", "s"], means: [mean, 0, -2], scales: [scale, 1, 0.25]))
    }
    let first = try fingerprint { _ in }
    #expect(try fingerprint { $0.origin = DatasetOrigin(command: "another") } == first)
    let changes: [(inout DatasetContent) throws -> Void] = [
      { $0.description = try DataDescription([.input: columns("w")], horizon: 5) },
      { $0.description = try DataDescription([.input: columns("x", "s")], horizon: 5) },
      { $0.description = try DataDescription([.input: columns(mean: 0)], horizon: 5) },
      { $0.description = try DataDescription([.input: columns(scale: 1)], horizon: 5) },
      { $0.description = try DataDescription([.input: columns()], horizon: 4) },
      { $0.offsets[3] += 1 },
      { $0.splits[0] = .init(name: "train", range: 0..<100) },
      { $0.positionWeights?[7] = 3 },
      { $0.positionWeights = nil },
      {
        guard case .frames(var frames) = $0.values[.input] else { return }
        frames[9] += 1
        $0.values[.input] = .frames(frames)
      },
    ]
    #expect(try Set(changes.map(fingerprint)).union([first]).count == changes.count + 1)
  }

  @Test func `the fingerprint is of sources too`() throws {
    func fingerprint(_ change: (inout DatasetContent) throws -> Void) throws -> String {
      try withTemporaryDirectory { directory in
        var content = try #require(TrackSample.pairs.first).content
        try change(&content)
        try content.write(to: "\(directory)/d.h5")
        let dataset = try SequenceDataset("\(directory)/d.h5")
        try dataset.verify()
        return dataset.fingerprint
      }
    }
    let changes: [(inout DatasetContent) throws -> Void] = [
      { _ in },
      { $0.source?.offsets[3] += 1 },
      {
        guard case .tokens(var tokens) = $0.source?.values else { return }
        tokens[0] += 1
        $0.source?.values = .tokens(tokens)
      },
      {
        $0.description = try DataDescription(
          $0.description.stored,
          source: .tokens(Vocabulary(level: .label, spellings: (0..<300).map { "m\($0)" })))
      },
      {
        $0.description = try DataDescription($0.description.stored)
        $0.source = nil
      },
    ]
    #expect(try Set(changes.map(fingerprint)).count == changes.count)
  }

  @Test func `data differ by what a model can't make up for`() throws {
    let letters = try Vocabulary(level: .char, spellings: ["a", "b"])
    let others = try Vocabulary(level: .char, spellings: ["a", "c"])
    func frames(_ names: [String], mean: Float = 0) throws -> TrackDescription {
      .frames(try FrameColumns(names, means: names.map { _ in mean }))
    }
    let expected = try DataDescription([.input: frames(["x", "y"]), .target: .tokens(letters)])
    #expect(
      try DataDescription([.input: frames(["x", "y"], mean: 4), .target: .tokens(letters)]).differences(
        from: expected) == [])
    #expect(
      try DataDescription([.input: frames(["x", "z"]), .target: .tokens(others)], horizon: 2).differences(
        from: expected) == [
          "input: column 1 has the name \"z\", expected \"y\"", "target: token 1 is \"c\", expected \"b\"",
          "the target lies 2 ahead, expected 0",
        ])
    #expect(
      try DataDescription([.input: frames(["x", "y"])]).differences(from: expected) == [
        "target: it is frames of 2 columns, expected 2 chars", "the target lies 1 ahead, expected 0",
      ])
    let pairs = try DataDescription([.input: .tokens(letters)], source: .tokens(letters))
    #expect(
      try DataDescription([.input: .tokens(letters)], source: .tokens(others)).differences(from: pairs)
        == ["source: token 1 is \"c\", expected \"b\""])
    #expect(
      DataDescription.language(letters).differences(from: pairs) == [
        "there is no track source, expected 2 chars"
      ])
    #expect(
      pairs.differences(from: .language(letters)) == ["there is a track source of 2 chars, expected none"])
    #expect(
      DataDescription.language(others).differences(from: .language(letters)) == [
        "input: token 1 is \"c\", expected \"b\""
      ])
  }
}
