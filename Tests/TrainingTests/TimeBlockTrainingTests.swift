import TestSupport
import Testing
import Training

/// Trainings whose chunks are cut into blocks of time steps, by the scenario `train`.
@Suite(.serialized) struct TimeBlockTrainingTests {
  /// Settings that each take another way through a cut chunk; 2 shards of 3 lanes and chunks of 24 steps unless they say
  /// otherwise.
  static let variants: [(name: String, settings: [String])] = [
    ("minimal", ["model.cell=[mingru, minlstm]", "data.mode=packed"]),
    ("lru", ["model.cell=lru", "model.lru.states=5", "model.initial_state=learnt", "data.mode=packed"]),
    ("conv", ["model.cell=[conv, mlp]", "model.conv.width=3", "training.accumulate=3"]),
    ("depthwise", ["model.cell=[conv, minlstm]", "model.conv.depthwise=true", "model.embedding=16"]),
    ("s4d", ["model.cell=s4d", "model.s4d.states=6", "model.residual=true", "model.embedding=16"]),
    ("mamba", ["model.cell=mamba", "model.mamba.states=3", "data.mode=packed"]),
    (
      "dropout",
      ["model.cell=[mingru, lru]", "model.dropout=0.3", "model.variational_dropout.input=0.2"]
    ),
    ("forgetful", ["model.cell=[mingru, conv]", "model.initial_state=zero", "training.accumulate=2"]),
    ("bfloat16", ["model.cell=[mingru, conv]", "training.precision=bfloat16"]),
    (
      "one-lane",
      ["model.cell=[mamba, mingru]", "training.lanes=1", "training.shards=1", "training.chunk=64"]
    ),
  ]

  private static func settings(_ blocks: Int, _ settings: [String]) -> [String] {
    ["training.lanes=6", "training.shards=2", "training.chunk=24", "training.time_blocks=\(blocks)"]
      + settings
  }

  /// What is traced of each step: its loss and the norm of its gradient.
  private func trace(_ result: ProcessResult) -> [(loss: Double, norm: Double)] {
    result.output.split(separator: "\n").filter { $0.hasPrefix("step ") }.map { line in
      let words = line.split(separator: " ")
      return (Double(words[3]) ?? .nan, Double(words[4]) ?? .nan)
    }
  }

  /// Streams end in blocks, at their ends, and go on through several of them and of chunks.
  private static let streams = (0..<400).map { 1 + $0 * 7 % 41 }

  @Test func `ranks change nothing, and blocks what rounding does`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: Self.streams)
      var traces: [[(loss: Double, norm: Double)]] = []
      for blocks in [1, 2, 4, 8] {
        var digests: [[String]] = []
        for ranks in [1, 2, 4, 8] where ranks <= blocks {
          let (lines, result) = try train(
            base, ranks: ranks,
            Self.variants.map {
              ("\($0.name)-\(blocks)-\(ranks)", Self.settings(blocks, $0.settings) + ["@trace"])
            })
          #expect(result.status == 0, "\(result)")
          #expect(lines.allSatisfy { $0.ending == "finished" && $0.step == 6 && $0.skipped == 0 })
          digests.append(lines.map(\.digest))
          if ranks == 1 { traces.append(trace(result)) }
        }
        for (index, variant) in Self.variants.enumerated() {
          let found = digests.map { index < $0.count ? $0[index] : "none" }
          #expect(Set(found).count == 1, "\(variant.name) in \(blocks) blocks: \(found)")
        }
        #expect(Set(digests[0]).count == Self.variants.count, "each variant is another training")
      }
      for (blocks, steps) in zip([2, 4, 8], traces.dropFirst()) {
        #expect(steps.count == 6 * Self.variants.count && steps.count == traces[0].count)
        for (index, (cut, whole)) in zip(steps, traces[0]).enumerated() {
          let variant = Self.variants[index / 6].name
          // Bits of bfloat16 are far apart: where a sum is rounded the other way, what is learnt of it differs.
          let tolerance = variant == "bfloat16" ? 1e-3 : 2e-5
          #expect(
            abs(cut.loss - whole.loss) <= tolerance * whole.loss
              && abs(cut.norm - whole.norm) <= 10 * tolerance * whole.norm,
            "\(variant) in \(blocks) blocks, step \(index % 6 + 1): \(cut), of whole chunks \(whole)")
        }
      }
    }
  }

  @Test func `blocks may lie on several hosts, and ranks have parts of several shards`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: Self.streams)
      // 3 shards of 4 blocks: 5 ranks have from 2 to 3 of the 12 tiles.
      let settings = Self.settings(
        4, ["model.cell=[mamba, conv, lru]", "model.layers=3", "training.shards=3", "data.mode=packed"])
      let (alone, result) = try train(base, ranks: 1, [("alone", settings)])
      let digest = try #require(alone.first, "\(result)").digest
      let (lines, spread) = try train(
        base, ranks: 5, ["5", "2:3", "1:1:1:1:1"].map { ("run-\($0)", settings + ["@hosts=\($0)"]) })
      #expect(lines.map(\.digest) == [digest, digest, digest], "\(spread)")
    }
  }

  /// Also back to as many blocks on one rank, and with a step that is skipped.
  @Test func `stops and resumes on other ranks change nothing`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: Self.streams)
      let settings = Self.settings(
        4,
        [
          "model.cell=[mingru, s4d, conv]", "model.layers=3", "data.mode=packed", "training.accumulate=2",
          "training.steps=30", "model.dropout=0.2", "evaluation.every=7",
        ])
      let (lines, result) = try train(base, ranks: 2, [("whole", settings)])
      let whole = try #require(lines.first, "\(result)")
      for (ranks, rank, step) in [(1, 0, 5), (3, 1, 11), (8, 7, 14), (4, 2, 23), (2, 0, 0)] {
        let stop = step > 0 ? ["@stop=\(rank):\(step)"] : []
        let (lines, result) = try train(base, ranks: ranks, [("chain", settings + stop)])
        let line = try #require(lines.first, "\(result)")
        #expect(line.step == (step > 0 ? step : 30), "\(result)")
        if step == 0 { #expect(line.digest == whole.digest) }
      }
      let skipping = settings + ["training.non_finite=skip", "@nan=5:2"]
      let skipped = try [1, 4].map { ranks in
        try train(base, ranks: ranks, [("skipped-\(ranks)", skipping)]).lines.first
      }
      #expect(skipped[0]?.skipped == 2 && skipped[0]?.digest == skipped[1]?.digest, "\(skipped)")
    }
  }

  /// The tokens of a lane that one rank has to read are damaged; the others wait for its states meanwhile.
  @Test func `data that one rank cannot read end the job`() throws {
    try withTemporaryDirectory { base in
      try makeDamagedTrainingData(in: base)
      let settings = [
        "training.lanes=1", "training.shards=1", "training.time_blocks=4", "training.chunk=16384",
        "model.cell=[mingru, conv]", "model.hidden=4", "model.embedding=2", "training.accumulate=2",
        "training.steps=100", "checkpoint.every=1",
      ]
      for ranks in [1, 2, 4] {
        let (_, result) = try train(base, ranks: ranks, [("run-\(ranks)", settings)], data: "bad.h5")
        #expect(result.status == 2 && !result.timedOut, "\(result)")
        let found = result.output.split(separator: "\n").filter { $0.hasPrefix("rank ") }
        #expect(found.count == 1 && found[0].contains("\(base)/bad.h5: "), "\(result)")
      }
    }
  }

  /// The first of a lane, one between others, and the last: those behind and before wait for its states.
  @Test(arguments: [0, 1, 2])
  func `a rank that does not come any more is named`(_ hung: Int) throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "model.cell=[mingru, conv]", "training.lanes=2", "training.shards=1", "training.chunk=24",
        "training.time_blocks=3", "training.steps=9", "checkpoint.every=2", "training.timeout=1",
      ]
      let (lines, result) = try train(base, ranks: 3, [("run", settings + ["@suspend=\(hung):3"])])
      #expect(result.status == 1 && !result.timedOut && lines.isEmpty, "\(result)")
      let found = result.output.split(separator: "\n").filter { $0.hasPrefix("rank ") }
      #expect(found.count == 1 && found[0].contains(": step 4: "), "\(result)")
      #expect(found.first?.contains("for rank \(hung) of ") == true, "\(result)")
    }
  }

  @Test func `states that are not finite are told by their lanes`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = Self.settings(2, ["model.cell=mingru", "@nan=2:1"])
      for ranks in [1, 4] {
        let (_, result) = try train(base, ranks: ranks, [("run-\(ranks)", settings)])
        #expect(result.status == 2 && !result.timedOut, "\(result)")
        #expect(result.output.contains("step 2: the loss of lane 0 on rank 0 is not finite"), "\(result)")
      }
    }
  }
}
