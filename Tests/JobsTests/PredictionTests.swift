import Chunks
import Glibc
import HDF5
import Sequences
import TestSupport
import Testing

/// Datasets of tags and of frames, runs on them, and what they predict.
@Suite(.serialized) struct PredictionTests {
  private static let tags = ["O", "B-X", "I-X", "B-Y"]

  /// Streams of words with a tag each, or of words alone.
  private static func makeTags(_ path: String, hasTags: Bool = true) throws {
    let words = try Vocabulary(level: .word, spellings: (0..<7).map { "w\($0)" })
    var offsets = [0]
    for stream in 0..<60 { offsets.append(offsets[stream] + stream * 5 % 17 + 2) }
    let count = offsets[60]
    let inputs = (0..<count).map { Int32(($0 * $0 / 3 + $0) % 7) }
    var tracks: [TrackRole: TrackDescription] = [.input: .tokens(words)]
    var values: [TrackRole: TrackValues] = [.input: .tokens(inputs)]
    if hasTags {
      tracks[.target] = .tokens(try Vocabulary(level: .label, spellings: tags))
      values[.target] = .tokens(inputs.enumerated().map { $1 % 3 == 0 ? 0 : Int32(($0 + Int($1)) % 4) })
    }
    try DatasetContent(
      DataDescription(tracks), offsets: offsets,
      splits: [
        .init(name: "train", range: 0..<offsets[40]), .init(name: "validation", range: offsets[40]..<count),
      ], values: values, origin: DatasetOrigin(command: "a test")
    ).write(to: path)
  }

  /// Two waves that go on from stream to stream, seen with means and scales.
  private static func makeWaves(_ path: String, lengths: [Int], more: [[Double]] = []) throws {
    let columns = try FrameColumns(["a", "b"], units: ["m", ""], means: [5, -1], scales: [2, 0.5])
    let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let count = offsets[lengths.count]
    var frames: [Float] = []
    for place in 0..<count {
      let (a, b): (Double, Double) = (sin(Double(place) / 5), cos(Double(place) / 7))
      frames += [Float(5 + 2 * a), Float(b / 2 - 1)]
    }
    for (place, frame) in more.enumerated() {
      for column in 0..<2 { frames[2 * (count - more.count + place) + column] = Float(frame[column]) }
    }
    let cut = offsets[max(1, lengths.count * 2 / 3)]
    try DatasetContent(
      DataDescription([.input: .frames(columns)]), offsets: offsets,
      splits: cut < count
        ? [.init(name: "train", range: 0..<cut), .init(name: "validation", range: cut..<count)]
        : [.init(name: "train", range: 0..<count)],
      values: [.input: .frames(frames)], origin: DatasetOrigin(command: "a test")
    ).write(to: path)
  }

  private func train(_ directory: String, _ data: String, _ settings: String...) throws {
    let all = [
      "data.path=\(directory)/\(data)", "model.cell=gru", "model.hidden=8", "model.embedding=4",
      "model.layers=1", "training.lanes=4", "training.chunk=8", "training.shards=2", "training.steps=12",
      "evaluation.every=4", "checkpoint.every=4",
    ]
    let result = try mpirun(
      ranks: 2, "seqtrain",
      ["train", "--run", "\(directory)/run"] + (all + settings).flatMap { ["--set", $0] })
    try #require(result.status == 0, "\(result)")
  }

  private func seqtrain(_ arguments: String...) throws -> ProcessResult {
    try runProcess(try builtProgram("seqtrain"), arguments)
  }

  /// The arrays of numbers in a file, by their paths.
  private func numbers(in path: String) throws -> [String: [Double]] {
    let file = try File.open(path)
    let texts: Set = ["labels", "labels/name", "columns", "units", "units/name"]
    return try Dictionary(
      uniqueKeysWithValues: file.datasetPaths().filter { !texts.contains($0) }.map {
        ($0, try file.dataset($0).readArray(of: Double.self))
      })
  }

  @Test func `labels are predicted by name, without targets, as an evaluation finds them`() throws {
    try withTemporaryDirectory { place in
      try Self.makeTags("\(place)/d.h5")
      try Self.makeTags("\(place)/inputs.h5", hasTags: false)
      try train(place, "d.h5", "data.mode=packed", "evaluation.measure=f1_macro")
      let evaluation = try mpirun(
        ranks: 2, "seqtrain",
        ["eval", "\(place)/run", "--split", "validation", "--output", "\(place)/e.h5", "--json"])
      #expect(evaluation.status == 0, "\(evaluation)")
      for (data, output) in [("d", "p.h5"), ("inputs", "p.csv"), ("inputs", "q.h5")] {
        let result = try seqtrain(
          "predict", "\(place)/run", "--data", "\(place)/\(data).h5", "--split", "validation", "--output",
          "\(place)/\(output)")
        #expect(result.status == 0, "\(result)")
      }
      let (found, same, expected) = (
        try numbers(in: "\(place)/p.h5"), try numbers(in: "\(place)/q.h5"),
        try numbers(in: "\(place)/e.h5")
      )
      #expect(found == same)
      #expect(found["prediction"] == expected["targets/prediction"])
      #expect(found["streams/first"] == expected["targets/first"])
      let probabilities = try #require(found["probability"])
      #expect(probabilities.allSatisfy { (0.25...1).contains($0) } && Set(probabilities).count > 20)
      let predictions = try #require(found["prediction"])
      let shown = try seqtrain("inspect", "\(place)/p.h5", "--json")
      #expect(
        shown.output.contains("\"step\":12")
          && shown.output.contains("\"streams\":20,\"positions\":\(found["position"]?.count ?? 0)}"),
        "\(shown)")
      #expect(try File.open("\(place)/p.h5").dataset("labels").readStrings() == Self.tags)
      let table = try lines("\(place)/p.csv")
      #expect(table[0] == "stream,position,prediction,probability" && table.count == predictions.count + 1)
      for (line, prediction) in zip(table.dropFirst(), predictions) {
        #expect(line.split(separator: ",")[2] == Self.tags[Int(prediction)])
      }
    }
  }

  @Test func `plain text is predicted as the same streams of a dataset`() throws {
    try withTemporaryDirectory { place in
      try Self.makeTags("\(place)/d.h5")
      try train(place, "d.h5", "data.mode=packed")
      let dataset = try SequenceDataset("\(place)/d.h5")
      let words = try dataset.readTokens(.input, rows: 0..<dataset.streams.tokens.count)
      let streams = (0..<dataset.streams.count).map { stream in
        words[dataset.streams.offset(stream)..<dataset.streams.offset(stream + 1)].map { "w\($0)" }
      }
      try writeBytes(
        (streams.map { $0.joined(separator: " ") }.joined(separator: "\n")).utf8, to: "\(place)/lines")
      try writeBytes(
        (streams.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")).utf8, to: "\(place)/tokens")
      for (data, options) in [("d.h5", []), ("lines", []), ("tokens", ["--lines", "tokens"])] {
        let result = try runProcess(
          builtProgram("seqtrain"),
          ["predict", "\(place)/run", "--data", "\(place)/\(data)", "--output", "\(place)/\(data).csv"]
            + options)
        #expect(result.status == 0, "\(result)")
      }
      #expect(try lines("\(place)/lines.csv") == lines("\(place)/d.h5.csv"))
      #expect(try lines("\(place)/tokens.csv") == lines("\(place)/d.h5.csv"))
      try expectRefusal(
        try seqtrain(
          "predict", "\(place)/run", "--data", "\(place)/lines", "--split", "test", "--output", "\(place)/p"),
        "--split is for a dataset; leave it out")
      try expectRefusal(
        try seqtrain(
          "predict", "\(place)/run", "--data", "\(place)/d.h5", "--time", "t", "--output", "\(place)/p"),
        "--time is for a table or text; leave it out")
      try expectRefusal(
        try seqtrain(
          "predict", "\(place)/run", "--data", "\(place)/lines", "--stream", "t", "--output", "\(place)/p"),
        "--stream is for a table, and the model reads text; leave it out")
    }
  }

  @Test func `labels are measured alike on any number of ranks, and may decide which model is best`() throws {
    try withTemporaryDirectory { place in
      try Self.makeTags("\(place)/d.h5")
      try train(place, "d.h5", "data.mode=packed", "evaluation.measure=f1_macro")
      let outputs = try [1, 2, 3].map { ranks in
        let result = try mpirun(
          ranks: ranks, "seqtrain",
          ["eval", "\(place)/run", "--json", "--output", "\(place)/\(ranks).h5"])
        #expect(result.status == 0, "\(result)")
        return result.output
      }
      #expect(outputs[1] == outputs[0] && outputs[2] == outputs[0])
      for key in [
        "loss", "perplexity", "bits_per_target", "accuracy", "precision_macro", "recall_macro", "f1_macro",
        "precision_entities", "recall_entities", "f1_entities", "targets", "labels", "confusion",
      ] {
        #expect(outputs[0].contains("\"\(key)\":"), "\(key)")
      }
      let shown = try seqtrain("inspect", "\(place)/1.h5", "--json")
      let f1 = try #require(outputs[0].firstMatch(of: /"f1_macro":([0-9.]+)/)?.1)
      #expect(shown.status == 0 && shown.output.contains("\"f1_macro\":\(f1)"), "\(shown)")
      let rows = try lines("\(place)/run/metrics.jsonl").filter { $0.contains("validation") }
      let scores = try rows.map { row in
        let text = try #require(row.firstMatch(of: /"f1_macro":([0-9.e-]+)/)?.1)
        return try #require(Double(text))
      }
      let best = try #require(rows.lastIndex { $0.contains("\"best\":true") })
      #expect(scores.count == 3 && scores[best] == scores.max())
      let run = try seqtrain("inspect", "\(place)/run", "--json").output
      #expect(run.contains("\"best\":{\"f1_macro\":\(scores[best])}"), "\(run)")
    }
  }

  @Test func `frames are predicted in the data's units, and fed back behind the ends of streams`() throws {
    try withTemporaryDirectory { place in
      try Self.makeWaves("\(place)/d.h5", lengths: [90, 40, 70, 55, 81, 66])
      try train(place, "d.h5", "model.objective=gaussian", "data.mode=contiguous")
      let lengths = (0..<20).map { 30 + $0 * 13 % 71 }
      try Self.makeWaves("\(place)/new.h5", lengths: lengths)
      func predict(_ data: String, _ output: String, _ more: String...) throws -> [String: [Double]] {
        let command = more.isEmpty ? "predict" : "forecast"
        let arguments = [
          command, "\(place)/run", "--data", "\(place)/\(data).h5", "--output", "\(place)/\(output)",
        ]
        let result = try runProcess(try builtProgram("seqtrain"), arguments + more)
        #expect(result.status == 0, "\(result)")
        return output.hasSuffix(".csv") ? [:] : try numbers(in: "\(place)/\(output)")
      }
      let known = try predict("new", "p.h5")
      let ahead = try predict("new", "f.h5", "--steps", "4")
      let (past, future) = (try #require(known["prediction"]), try #require(ahead["prediction"]))
      #expect(past.count == 2 * lengths.reduce(0, +) && future.count == 2 * 4 * lengths.count)
      #expect(known["variance"]?.allSatisfy { $0 > 0 } == true)
      #expect(ahead["position"]?.prefix(5) == [30, 31, 32, 33, 43])
      var end = 0
      for (stream, length) in lengths.enumerated() {
        end += length
        // What follows the last position is what the forecast begins with.
        for column in 0..<2 {
          #expect(abs(future[8 * stream + column] - past[2 * (end - 1) + column]) < 1e-5)
        }
      }
      // A stream that goes on with what was forecast is followed by the rest of the forecast.
      let more = (0..<3).map { [future[2 * $0], future[2 * $0 + 1]] }
      try Self.makeWaves("\(place)/longer.h5", lengths: [33], more: more)
      let continued = try predict("longer", "l.h5")
      let longer = try #require(continued["prediction"])
      for column in 0..<2 { #expect(abs(longer[2 * 32 + column] - future[6 + column]) < 1e-4) }

      _ = try predict("new", "p.csv")
      let table = try lines("\(place)/p.csv")
      #expect(table[0] == "stream,position,a,b,a variance,b variance" && table[1].hasPrefix("0,1,"))
      #expect(table[1].split(separator: ",")[2] == "\(Float(past[0]))")
    }
  }

  @Test func `what a stream begins with decides on what is generated`() throws {
    try withTemporaryDirectory { place in
      let letters = try Vocabulary(level: .char, spellings: ["a", "b", "c", "d"])
      let (streams, length) = (60, 9)
      let tokens = (0..<streams).flatMap { stream -> [Int32] in
        [0] + (1..<length).map { $0 % 2 == 0 ? 3 : Int32(1 + stream % 2) }
      }
      let offsets = (0...streams).map { $0 * length }
      try DatasetContent(
        DataDescription([
          .input: .tokens(letters), .initial: .frames(FrameColumns(["kind"], means: [15], scales: [5])),
        ]), offsets: offsets,
        splits: [
          .init(name: "train", range: 0..<40 * length),
          .init(name: "validation", range: 40 * length..<60 * length),
        ], values: [.input: .tokens(tokens), .initial: .frames((0..<streams).map { $0 % 2 == 0 ? 10 : 20 })],
        origin: DatasetOrigin(command: "a test")
      ).write(to: "\(place)/d.h5")
      try train(
        place, "d.h5", "data.mode=packed", "training.steps=150", "training.optimizer.learning_rate=0.02",
        "evaluation.every=0")
      func generate(_ initial: String...) throws -> ProcessResult {
        try runProcess(
          builtProgram("seqtrain"),
          ["generate", "\(place)/run", "--prompt", "a", "--length", "5", "--temperature", "0"] + initial)
      }
      #expect(try generate("--initial", "10").output == "abdbdb\n")
      #expect(try generate("--initial", "20").output == "acdcdc\n")
      try expectRefusal(
        try generate("--initial", "1,2"),
        "--initial has 2 numbers, expected 1, with which the model's streams begin: kind")
      try expectRefusal(try generate(), "--initial has 0 numbers, expected 1")
      #expect(try generate("--initial", "1,x").status == 64)
    }
  }

  @Test func `errors of frames are in the data's units`() throws {
    try withTemporaryDirectory { place in
      try Self.makeWaves("\(place)/d.h5", lengths: [90, 40, 70, 55, 81, 66])
      try train(place, "d.h5", "data.mode=contiguous", "evaluation.measure=mae")
      let result = try seqtrain(
        "eval", "\(place)/run", "--split", "validation", "--json", "--output", "\(place)/e.h5")
      #expect(result.status == 0, "\(result)")
      let found = try numbers(in: "\(place)/e.h5")
      let predictions = try #require(found["targets/prediction"])
      let dataset = try SequenceDataset("\(place)/d.h5")
      let streams = try dataset.split("validation").streams
      var (squares, sizes, place) = (0.0, 0.0, 0)
      for stream in 0..<streams.count {
        let targets = try dataset.readFrames(
          .input, rows: streams.offset(stream) + 1..<streams.offset(stream + 1))
        for target in targets {
          squares += pow(predictions[place] - Double(target), 2)
          sizes += abs(predictions[place] - Double(target))
          place += 1
        }
      }
      #expect(place == predictions.count)
      for (key, expected) in [("mse", squares), ("mae", sizes)] {
        let pattern = try Regex("\"\(key)\":([0-9.e-]+)")
        let value = try #require(result.output.firstMatch(of: pattern)?.output[1].substring)
        let number = try #require(Double(value))
        #expect(abs(number - expected / Double(place)) < 1e-5 * expected)
      }
      #expect(!result.output.contains("perplexity") && result.output.contains("\"r2\":"))
    }
  }

  @Test func `what can't be predicted, measured or written is refused, and nothing is written`() throws {
    try withTemporaryDirectory { place in
      try Self.makeTags("\(place)/d.h5")
      try Self.makeWaves("\(place)/waves.h5", lengths: [50, 60])
      try train(place, "d.h5", "data.mode=packed")
      let before = try directoryEntries(place)
      let run = "\(place)/run"
      try expectRefusal(
        try seqtrain("predict", run, "--data", "\(place)/waves.h5", "--output", "\(place)/p.h5"),
        "input: it is frames of 2 columns, expected 7 words")
      try expectRefusal(
        try seqtrain("predict", run, "--data", "\(place)/d.h5", "--output", "\(place)/d.h5"), "already exists"
      )
      try expectRefusal(
        try seqtrain("predict", run, "--data", "\(place)/d.h5", "--split", "x", "--output", "\(place)/p.csv"),
        "there are train, validation")
      try expectRefusal(
        try seqtrain("forecast", run, "--data", "\(place)/d.h5", "--steps", "3", "--output", "\(place)/p.h5"),
        "only a model that says of each frame which comes next can forecast")
      let zero = try seqtrain(
        "forecast", run, "--data", "\(place)/d.h5", "--steps", "0", "--output", "\(place)/p.h5")
      #expect(zero.status == 64 && zero.errors.contains("--steps 0: expected 1 to 1000000"), "\(zero)")
      try expectRefusal(
        try seqtrain(
          "train", "--run", "\(place)/other", "--set", "data.path=\(place)/d.h5", "--set",
          "evaluation.measure=mse"),
        "evaluation.measure mse is not measured of these targets; expected loss, perplexity, bits_per_target, accuracy"
      )
      try expectRefusal(
        try seqtrain(
          "train", "--run", "\(place)/other", "--set", "data.path=\(place)/d.h5", "--set",
          "model.objective=gaussian"),
        "model.objective gaussian can't use targets of 4 labels; expected auto or cross_entropy")
      try expectRefusal(
        try seqtrain(
          "train", "--run", "\(place)/other", "--set", "data.path=\(place)/d.h5", "--set",
          "training.sampling.decay=linear"),
        "training.sampling.decay linear is for models that read the tokens they say")
      try expectRefusal(
        try seqtrain(
          "train", "--run", "\(place)/other", "--set", "data.path=\(place)/d.h5", "--set",
          "model.discriminator.hidden=8"),
        "model.discriminator.hidden 8 is for models that read the tokens they say")
      try expectRefusal(
        try seqtrain("eval", run, "--free-running"),
        "--free-running is for models that read the tokens they say")
      #expect(try directoryEntries(place) == before)
    }
  }
}
