import Evaluation
import Glibc
import HDF5
import Sequences
import TestSupport
import Testing

@Suite(.serialized) struct EvaluationJobTests {
  @Test(arguments: ["contiguous", "packed", "whole"])
  func `numbers and files are the same on any number of ranks`(mode: String) throws {
    try SampleRun.with(mode: mode) { run in
      let results = try [1, 2, 3, 8].map { ranks in
        let output = "\(run.directory)/\(ranks).h5"
        let result = try run.seqtrain(
          ranks: ranks, ["eval", run.path, "--json", "--output", output, "--states"])
        #expect(result.status == 0, "\(result)")
        return (result.output, try EvaluationHeader(File.open(output)), try numbers(in: output))
      }
      for (output, header, content) in results.dropFirst() {
        #expect(output == results[0].0)
        #expect(header == results[0].1)
        #expect(content == results[0].2)
      }
      let (output, header, content) = results[0]
      let metrics = header.metrics
      #expect(
        output == """
          {"checkpoint":"\(header.checkpoint)","step":12,"dataset":"\(run.dataPath)",\
          "fingerprint":"\(header.datasetFingerprint)","split":"test","mode":"\(mode)","lanes":\(header.lanes),\
          "loss":\(metrics.loss),"perplexity":\(exp(metrics.loss)),"bits_per_target":\(metrics.loss / log(2)),\
          "accuracy":\(metrics[.accuracy] ?? .nan),"targets":\(metrics.targets),\
          "floor":null,"excess":null,"passed_over":[]}

          """)
      #expect(header.split == "test" && header.step == 12 && header.dataset == run.dataPath)
      // No more than have 256 targets each, or a stream.
      #expect(mode == "whole" ? header.lanes == 8 : header.lanes == 6 && metrics.targets / 256 == 6)
      #expect(header.checkpoint.hasSuffix("checkpoints/step-00000012.h5"))
      let streams = try SequenceDataset(run.dataPath).split("test").streams
      #expect(metrics.targets == streams.pairs)
      let sums = try #require(content["streams/loss"]).reduce(0, +)
      #expect(abs(sums - metrics.lossSum) < 1e-9 * sums)
      #expect(try #require(content["streams/correct"]).reduce(0, +) == Double(metrics.correct ?? -1))
      #expect(content["hidden"]?.count == 6 * metrics.targets)
    }
  }

  @Test(arguments: ["contiguous", "whole"])
  func `a model that reads what it draws is measured alike on any number of ranks`(mode: String) throws {
    try SampleRun.with(mode: mode, settings: ["evaluation.free_running=true"]) { run in
      let plain = try run.seqtrain(ranks: 1, ["eval", run.path, "--split", "validation", "--json"]).output
      let free = try [1, 3].map { ranks in
        let result = try run.seqtrain(
          ranks: ranks, ["eval", run.path, "--split", "validation", "--json", "--free-running"])
        #expect(result.status == 0, "\(result)")
        return result.output
      }
      #expect(free[0] == free[1])
      let numbers = try #require(
        free[0].firstMatch(
          of: /"loss":([0-9.]+).*("free_running_loss":([0-9.]+),"exposure_bias":([-0-9.e]+),)/))
      let (loss, whileFree, bias) = (Double(numbers.1), Double(numbers.3), Double(numbers.4))
      #expect(try #require(loss) + #require(bias) - #require(whileFree) < 1e-12)
      #expect(abs(try #require(bias)) > 1e-6)
      // The rest is as it was.
      #expect(free[0].replacing(numbers.2, with: "") == plain)
      // The last validation of the run, of the same weights.
      let row = try #require(try lines("\(run.path)/metrics.jsonl").last { $0.contains("validation") })
      #expect(row.contains("\"free_running_loss\":\(numbers.3),"), "\(row)")
    }
  }

  @Test
  func `professor forcing tells both losses, and a checkpoint of it is evaluated without a discriminator`()
    throws
  {
    let settings = ["model.discriminator.hidden=4", "training.log_every=3"]
    try SampleRun.with(mode: "packed", settings: settings) { run in
      let rows = try lines("\(run.path)/metrics.jsonl").filter { $0.contains("\"train\"") }
      #expect(rows.count == 4)
      for row in rows {
        let losses = try #require(
          row.firstMatch(of: /"discriminator_loss":([0-9.]+),"professor_loss":([0-9.]+),/))
        // Nobody is told apart yet.
        for loss in [losses.1, losses.2] { #expect(abs(try #require(Double(loss)) - log(2)) < 0.2, "\(row)") }
      }
      let outputs = try [1, 2].map { try run.seqtrain(ranks: $0, ["eval", run.path, "--json"]).output }
      #expect(outputs[0] == outputs[1] && outputs[0].contains("\"loss\":"))
    }
  }

  /// In contiguous mode too, since a lane is led in to a stream of which it has the rest; what leads in counts nowhere.
  @Test(arguments: [
    ("contiguous", 8, 4, "test"), ("contiguous", 5, 256, "test"), ("contiguous", 5, 266, "train"),
    ("packed", 8, 4, "test"), ("whole", 8, 4, "test"),
  ])
  func `every result is what the equations say`(mode: String, lanes: Int, chunk: Int, split: String) throws {
    try SampleRun.with(mode: mode, lanes: lanes, chunk: chunk) { run in
      let output = "\(run.directory)/e.h5"
      let result = try run.seqtrain(
        ranks: 2, ["eval", run.path, "--split", split, "--output", output, "--states"])
      #expect(result.status == 0, "\(result)")
      let found = try numbers(in: output)
      let model = try ElmanNetwork("\(run.path)/checkpoints/step-00000012.h5")
      let dataset = try SequenceDataset(run.dataPath)
      let streams = try dataset.split(split).streams
      var (first, total) = (0, (loss: 0.0, correct: 0.0))
      for stream in 0..<streams.count {
        let range = streams.offsets[stream]..<streams.offsets[stream + 1]
        let tokens = try dataset.readTokens(.input, rows: range)
        var (loss, correct) = (0.0, 0.0)
        for (index, step) in model.run(tokens).enumerated() {
          loss += step.loss
          correct += step.prediction == tokens[index + 1] ? 1 : 0
          let target = first + index
          #expect(abs(try #require(found["targets/loss"])[target] - step.loss) < 1e-5)
          #expect(try #require(found["targets/prediction"])[target] == Double(step.prediction))
          for (unit, value) in step.hidden.enumerated() {
            #expect(abs(try #require(found["hidden"])[6 * target + unit] - value) < 1e-5)
          }
        }
        #expect(abs(try #require(found["streams/loss"])[stream] - loss) < 1e-4)
        #expect(try #require(found["streams/correct"])[stream] == correct)
        #expect(try #require(found["streams/targets"])[stream] == Double(tokens.count - 1))
        #expect(try #require(found["targets/first"])[stream] == Double(first))
        first += tokens.count - 1
        total = (total.loss + loss, total.correct + correct)
      }
      let metrics = try EvaluationHeader(File.open(output)).metrics
      #expect(abs(metrics.lossSum - total.loss) < 1e-6 * total.loss)
      #expect(Double(metrics.correct ?? -1) == total.correct && metrics.targets == first)
      #expect(found["targets/first"]?.last == Double(first) && found["targets/loss"]?.count == first)
    }
  }

  @Test func `what an evaluation keeps of its targets is part of the memory that it needs`() throws {
    try SampleRun.with(mode: "contiguous") { run in
      let (data, targets) = ("\(run.directory)/long.h5", 12_000_000)
      let vocabulary = try Vocabulary(level: .char, spellings: SampleRun.letters)
      try DatasetWriter.create(data, vocabulary: vocabulary, origin: DatasetOrigin(command: "a test")) {
        writer in
        for token in 0...targets { try writer.append(Int32(token % 8)) }
        writer.endStream()
        return [DatasetWriter.Split(name: "test", range: 0..<targets + 1)]
      }
      let result = try runProcess(
        "bash",
        [
          "-c", "ulimit -v 260000; exec \"$@\"", "bash", try builtProgram("seqtrain"), "eval", run.path,
          "--data", data, "--output", "\(run.directory)/e.h5",
        ])
      try expectRefusal(result, "(ulimit -v), but a rank takes ")
      let needed = try #require(result.errors.firstMatch(of: /a rank takes ([\d.]+) MB/)?.1)
      #expect(try #require(Double(needed)) > 8 * Double(targets) / 1e6, "\(result)")
    }
  }

  @Test func `another dataset serves if its vocabulary is the same, and only then`() throws {
    try SampleRun.with(mode: "auto") { run in
      func evaluate(_ arguments: String...) throws -> ProcessResult {
        try run.seqtrain(ranks: 2, ["eval", run.path] + arguments)
      }
      let other = "\(run.directory)/other.h5"
      try SampleRun.makeDataset(other, splits: ["train", "validation"])
      let accepted = try evaluate("--data", other)
      #expect(accepted.status == 0 && accepted.output.contains("other.h5, split validation"), "\(accepted)")
      // `best.h5` is a link; the best of three validations need not be the newest.
      let best = try evaluate("--best", "--json")
      let linked = try run.seqtrain(["eval", "\(run.path)/checkpoints/best.h5", "--json"])
      #expect(best.status == 0 && best.output == linked.output, "\(best)")

      let strange = "\(run.directory)/strange.h5"
      var letters = SampleRun.letters
      letters[2] = "B"
      try SampleRun.makeDataset(strange, splits: ["train"], letters: letters)
      try expectRefusal(try evaluate("--data", strange), "token 2 is \"B\", expected \"b\"")
      let larger = "\(run.directory)/larger.h5"
      try SampleRun.makeDataset(larger, splits: ["train"], letters: SampleRun.letters + ["ö"])
      try expectRefusal(try evaluate("--data", larger), "it has 10 tokens, expected 9")
      try expectRefusal(
        try evaluate("--split", "trian"), "no split \"trian\"; there are train, validation, test")
      try expectRefusal(try evaluate("--data", "\(run.directory)/none.h5"), "none.h5: cannot be opened")
    }
  }

  @Test func `what cannot be written or read is refused once, and nothing is written`() throws {
    try SampleRun.with(mode: "auto") { run in
      let before = try directoryEntries(run.directory)
      let data = try readBytes(run.dataPath)
      try expectRefusal(
        try run.seqtrain(ranks: 3, ["eval", run.path, "--output", run.dataPath]), "already exists")
      #expect(try readBytes(run.dataPath) == data)
      try expectRefusal(
        try run.seqtrain(ranks: 3, ["eval", run.path, "--output", "\(run.directory)/none/e.h5"]), "none/e.h5")
      try expectRefusal(
        try run.seqtrain(ranks: 2, ["eval", run.dataPath]),
        "expected a file of kind \"checkpoint\", found one of kind \"dataset\"")
      try expectRefusal(
        try run.seqtrain(ranks: 2, ["eval", "\(run.directory)/none"]), "none: cannot be opened")
      try expectRefusal(try run.seqtrain(["eval", run.directory]), "not a run, or one without a checkpoint")

      let damaged = "\(run.path)/checkpoints/step-00000012.h5"
      try writeBytes(try readBytes(damaged).dropLast(100), to: damaged)
      try expectRefusal(
        try run.seqtrain(ranks: 2, ["eval", damaged, "--output", "\(run.directory)/e.h5"]), "it is damaged")
      #expect(try directoryEntries(run.directory) == before)

      let states = try run.seqtrain(["eval", run.path, "--states"])
      #expect(states.status == 64 && states.errors.contains("--states needs --output"), "\(states)")
    }
  }

  /// A stored token outside the vocabulary is found in the middle of the work, by one rank alone.
  @Test func `an unreadable part of the data ends the job on all ranks`() throws {
    try SampleRun.with(mode: "contiguous") { run in
      let copy = "\(run.directory)/copy.h5"
      var bytes = try readBytes(run.dataPath)
      let dataset = try SequenceDataset(run.dataPath)
      let last = try dataset.split("test").streams.tokens
      let stored = try dataset.readTokens(.input, rows: 0..<last.upperBound).map { UInt8($0) }
      let place = try #require(
        bytes.indices.dropLast(stored.count).first { bytes[$0...].starts(with: stored) })
      bytes[place + stored.count - 2] = 200
      try writeBytes(bytes, to: copy)
      let result = try run.seqtrain(
        ranks: 3, ["eval", run.path, "--data", copy, "--output", "\(run.directory)/e.h5"])
      try expectRefusal(result, "copy.h5: ")
      #expect(try !directoryEntries(run.directory).contains { $0.contains("e.h5") })
    }
  }
}

/// Expects one message, and failure.
func expectRefusal(
  _ result: ProcessResult, _ message: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let errors = result.errors.split(separator: "\n").filter {
    $0.contains("error: ") && $0.contains("seqtrain")
  }
  #expect(
    result.status == 1 && errors.count == 1 && errors[0].contains(message), "\(result)",
    sourceLocation: sourceLocation)
}

/// h = tanh(W_ih e + b_ih + W_hh h + b_hh), logits = W h + b, in Double and plain loops, from a checkpoint.
private struct ElmanNetwork {
  private let parameters: [String: [Double]]

  init(_ path: String) throws {
    parameters = try numbers(in: path, under: "parameters")
  }

  struct Step {
    let hidden: [Double], prediction: Int32, loss: Double
  }

  /// The step for each token of a stream but the last, whose target is the next.
  func run(_ tokens: [Int32]) -> [Step] {
    var hidden = [Double](repeating: 0, count: 6)
    return zip(tokens, tokens.dropFirst()).map { token, target in
      let embedded = Array(row(Int(token), of: "embedding.weight", columns: 5))
      let (input, recurrent) = (
        affine("rnn.weight_ih_l0", "rnn.bias_ih_l0", embedded),
        affine("rnn.weight_hh_l0", "rnn.bias_hh_l0", hidden)
      )
      hidden = zip(input, recurrent).map { tanh($0 + $1) }
      let logits = affine("head.weight", "head.bias", hidden)
      let prediction = logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
      let loss = log(logits.reduce(0) { $0 + exp($1) }) - logits[Int(target)]
      return Step(hidden: hidden, prediction: Int32(prediction), loss: loss)
    }
  }

  private func row(_ index: Int, of name: String, columns: Int) -> ArraySlice<Double> {
    (parameters[name] ?? [])[index * columns..<(index + 1) * columns]
  }

  private func affine(_ weight: String, _ bias: String, _ x: [Double]) -> [Double] {
    (parameters[bias] ?? []).enumerated().map { index, bias in
      zip(row(index, of: weight, columns: x.count), x).reduce(bias) { $0 + $1.0 * $1.1 }
    }
  }
}
