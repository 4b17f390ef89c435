import Glibc
import Sequences
import TestSupport
import Testing
import Training

/// Whole trainings of a small model, by the scenario `train`.
@Suite(.serialized) struct TrainerTests {
  /// Settings that each take another way through the step.
  static let variants: [(name: String, settings: [String])] = [
    ("adam", []),
    ("clipped", ["training.clip_norm=0.01"]),
    ("accumulate", ["training.accumulate=3"]),
    ("dropout", ["model.dropout=0.3"]),
    ("bfloat16", ["training.precision=bfloat16"]),
    ("sgd", ["training.optimizer.name=sgd", "training.optimizer.learning_rate=0.5"]),
    (
      "nesterov",
      [
        "training.optimizer.name=sgd", "training.optimizer.momentum=0.9", "training.optimizer.nesterov=true",
        "training.optimizer.weight_decay=0.01",
      ]
    ),
    ("adamw", ["training.optimizer.name=adamw", "training.optimizer.weight_decay=0.1"]),
    ("tied", ["model.tied=true", "model.embedding=16"]),
    ("learnt", ["model.initial_state=learnt", "model.layer_norm=true"]),
    ("forgetful", ["model.initial_state=zero"]),
    ("whole", ["data.mode=whole"]),
    ("gru", ["model.cell=gru", "model.initial_state=learnt"]),
    ("conv", ["model.cell=[gru, conv]", "model.conv.width=3", "model.dropout=0.2"]),
    (
      "scans",
      [
        "model.cell=[mingru, lru, minlstm]", "model.layers=3", "model.residual=true", "model.embedding=16",
        "model.lru.states=5", "model.initial_state=learnt", "training.optimizer.groups=['*.nu_log 0.5 0']",
      ]
    ),
    (
      "blocks",
      [
        "model.cell=[lstm2, mlp]", "model.residual=true", "model.embedding=16", "model.norm=rms",
        "model.mlp=2",
        "model.mlp_kind=gated", "model.variational_dropout.input=0.1",
      ]
    ),
    (
      "transition",
      ["model.transition_layers=1", "model.output_layers=1", "model.variational_dropout.recurrent=0.2"]
    ),
    ("sampling", ["training.sampling.decay=linear", "training.sampling.steps=3", "training.accumulate=2"]),
    (
      "sampling-whole",
      [
        "training.sampling.decay=inverse_sigmoid", "training.sampling.steps=3", "training.sampling.limit=0.6",
        "data.mode=whole", "model.cell=attention", "training.precision=bfloat16",
      ]
    ),
    (
      "professor",
      ["model.discriminator.hidden=5", "model.discriminator.weight=0.5", "model.initial_state=learnt"]
    ),
    (
      "professor-sampling",
      [
        "model.discriminator.hidden=3", "training.accumulate=2", "training.sampling.decay=linear",
        "training.sampling.steps=4", "model.cell=[attention, lru]", "data.mode=packed",
      ]
    ),
    ("bidirectional", ["model.bidirectional=true", "data.mode=whole"]),
    ("attention", ["model.cell=[attention, gru]", "model.attention.memory=11", "data.mode=packed"]),
    (
      "two-way-attention",
      [
        "model.cell=attention", "model.bidirectional=true", "data.mode=whole", "model.residual=true",
        "model.embedding=16",
      ]
    ),
    ("rnn", ["model.cell=rnn", "data.mode=packed", "training.accumulate=2", "model.initial_state=learnt"]),
  ]

  @Test func theNumberOfRanksChangesNothing() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: (0..<300).map { 1 + $0 * 7 % 23 })
      var digests: [[String]] = []
      for ranks in [1, 2, 3, 8] {
        let (lines, result) = try train(
          base, ranks: ranks, Self.variants.map { ("\($0.name)-\(ranks)", $0.settings) })
        #expect(result.status == 0, "\(result)")
        #expect(lines.map(\.name) == Self.variants.map { "\($0.name)-\(ranks)" })
        #expect(lines.allSatisfy { $0.ending == "finished" && $0.step == 6 && $0.skipped == 0 })
        digests.append(lines.map(\.digest))
      }
      for (index, variant) in Self.variants.enumerated() {
        let found = digests.map { index < $0.count ? $0[index] : "none" }
        #expect(Set(found).count == 1, "\(variant.name): \(found)")
      }
      #expect(Set(digests[0]).count == Self.variants.count, "each variant is another training")

      let (unclipped, result) = try train(
        base, ranks: 2, [0, 1e6].map { ("clip-\($0)", ["training.clip_norm=\($0)"]) })
      #expect(unclipped.count == 2 && unclipped[0].digest == unclipped[1].digest, "\(result)")
    }
  }

  /// One rank against hosts of 1, 2 and 3, of 4 and 2, and one each; and on from one to another.
  @Test func `the hosts of the ranks change nothing`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: (0..<300).map { 1 + $0 * 7 % 23 })
      let variants = Self.variants.filter { ["clipped", "accumulate", "bfloat16", "tied"].contains($0.name) }
      let hosts = ["1:2:3", "4:2", "1:1:1:1:1:1"]
      let (alone, result) = try train(base, ranks: 1, variants.map { ($0.name, $0.settings) })
      #expect(alone.count == variants.count, "\(result)")
      for hosts in hosts {
        let (lines, result) = try train(
          base, ranks: 6, variants.map { ("\($0.name)-\(hosts)", $0.settings + ["@hosts=\(hosts)"]) })
        #expect(lines.map(\.digest) == alone.map(\.digest), "\(hosts): \(result)")
      }
      var chain: TrainingLine?
      for (index, hosts) in hosts.enumerated() {
        let settings = variants[0].settings + ["training.steps=\(2 * index + 2)", "@hosts=\(hosts)"]
        chain = try train(base, ranks: 6, [("chain", settings)]).lines.first
      }
      #expect(chain?.digest == alone[0].digest, "a chain over hosts")
    }
  }

  /// Through several epochs of packed streams, with dropout and accumulation: in one go, in two halves, and in a chain
  /// of stops by one rank or another on other numbers of ranks.
  @Test func stopsAndResumesChangeNothing() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: (0..<150).map { 2 + $0 * 7 % 23 })
      let settings = [
        "training.steps=40", "data.mode=packed", "model.dropout=0.2", "training.accumulate=2",
        "training.schedule.name=inverse_sqrt", "training.schedule.warmup=8",
        "training.sampling.decay=exponential", "training.sampling.steps=30", "model.discriminator.hidden=4",
      ]
      let (lines, result) = try train(
        base, ranks: 2,
        [
          ("whole", settings), ("validated", settings + ["evaluation.every=7", "checkpoint.every=9"]),
          ("halves", settings + ["training.steps=20"]), ("halves", settings),
        ])
      #expect(result.status == 0, "\(result)")
      #expect(lines.map(\.step) == [40, 40, 20, 40])
      let whole = try #require(lines.first).digest
      #expect(lines.map { $0.digest == whole } == [true, true, false, true], "\(lines)")

      for (ranks, rank, step) in [(1, 0, 13), (3, 2, 20), (8, 5, 31), (2, 0, 0)] {
        let stop = step > 0 ? ["@stop=\(rank):\(step)"] : []
        let (lines, result) = try train(base, ranks: ranks, [("chain", settings + stop)])
        let line = try #require(lines.first, "\(result)")
        #expect(line.ending == (step > 0 ? "stopped" : "finished"))
        #expect(line.step == (step > 0 ? step : 40))
        if step == 0 { #expect(line.digest == whole) }
      }
    }
  }

  /// Pairs, by a recurrent decoder and by a Transformer, with inputs and a discriminator that make passes of their own: on other
  /// numbers of ranks, and in a chain of stops in the middle of epochs.
  @Test func `models of pairs have the same bits on any ranks and after any stop`() throws {
    try withTemporaryDirectory { base in
      try Reverse(sizes: ["streams=200", "shortest=1", "longest=9"]).write(
        "\(base)/data.h5", seed: 3, command: "a test")
      let variants: [(name: String, settings: [String])] = [
        ("recurrent", ["model.cell=gru", "model.attention.score=additive", "model.attention.attend=before"]),
        (
          "transformer",
          [
            "model.cell=attention", "model.residual=true", "model.embedding=16", "model.mlp=2",
            "model.tied=true", "model.norm_first=false", "model.attention.positions=sinusoidal",
          ]
        ),
        (
          "mixed",
          [
            "model.cell=mingru", "model.decoder=[attention, gru]", "model.residual=true",
            "model.embedding=32", "training.precision=bfloat16",
          ]
        ),
      ].map { name, settings in
        (
          name,
          settings + [
            "model.bidirectional=true", "model.dropout=0.1", "training.accumulate=2", "training.steps=14",
            "training.sampling.decay=linear", "training.sampling.steps=8", "model.discriminator.hidden=4",
          ]
        )
      }
      let (alone, result) = try train(base, ranks: 1, variants.map { ("\($0.name)-1", $0.settings) })
      #expect(alone.allSatisfy { $0.ending == "finished" && $0.skipped == 0 }, "\(result)")
      #expect(Set(alone.map(\.digest)).count == variants.count)
      for ranks in [2, 5] {
        let (lines, result) = try train(
          base, ranks: ranks, variants.map { ("\($0.name)-\(ranks)", $0.settings) })
        #expect(lines.map(\.digest) == alone.map(\.digest), "\(ranks) ranks: \(result)")
      }
      for (ranks, rank, step) in [(3, 2, 5), (1, 0, 8), (2, 0, 0)] {
        let stop = step > 0 ? ["@stop=\(rank):\(step)"] : []
        let (lines, result) = try train(
          base, ranks: ranks, variants.map { ("\($0.name)-chain", $0.settings + stop) })
        #expect(lines.map(\.step) == variants.map { _ in step > 0 ? step : 14 }, "\(result)")
        if step == 0 { #expect(lines.map(\.digest) == alone.map(\.digest)) }
      }
    }
  }

  /// The validation at the end of a part is not one of the whole, whose plateau schedule goes by those it has.
  @Test func aPlateauIsTheSameInParts() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "evaluation.every=5", "training.schedule.name=plateau", "training.schedule.patience=1",
        "training.optimizer.learning_rate=0.5",
      ]
      let (lines, result) = try train(
        base, ranks: 2,
        [("whole", settings + ["training.steps=40", "@trace"])]
          + [3, 11, 12, 28, 40].map { ("parts", settings + ["training.steps=\($0)"]) })
      #expect(lines.count == 6 && lines[5].digest == lines[0].digest, "\(result)")
      #expect(
        result.output.contains(#/validation 40 .* 0\.(5|25|125) /#), "the learning rate never fell: \(result)"
      )
    }
  }

  /// By a stop in the step before it, by one while it runs, and at the end of the run.
  @Test func `a validation that is broken off is made first when the run goes on`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "training.steps=24", "evaluation.every=2", "evaluation.patience=9", "checkpoint.keep=100",
        "training.schedule.name=plateau", "training.schedule.patience=1",
        "training.optimizer.learning_rate=3", "@trace",
      ]
      let (whole, uninterrupted) = try train(base, ranks: 2, [("whole", settings)])
      let stops = ["@break=1:4", "@break=0:4", "@stop=1:12", "@break=0:15", "@break=1:24"]
      let (parts, interrupted) = try train(
        base, ranks: 2, (stops + ["@trace"]).map { ("parts", settings + [$0]) })
      #expect(parts.map(\.ending) == stops.map { _ in "stopped" } + ["finished"], "\(interrupted)")
      #expect(parts.map(\.step) == [4, 4, 12, 16, 24, 24])
      #expect(parts.last?.digest == whole.first?.digest)
      func validations(_ result: ProcessResult) -> [Substring] {
        result.output.split(separator: "\n").filter { $0.hasPrefix("validation ") }
      }
      #expect(validations(interrupted) == validations(uninterrupted) && validations(interrupted).count == 12)
      #expect(
        rows(interrupted) == rows(uninterrupted) && rows(interrupted).last?.hasPrefix("row 24 ") == true)
      #expect(interrupted.output.contains(#/validation 24 .* 0\.(5|25|125)/#), "the learning rate never fell")
      func progress(_ run: String) throws -> TrainingProgress? {
        try CheckpointStore(directory: "\(base)/\(run)").newestSound().file?.header.progress
      }
      #expect(try progress("parts") == progress("whole"))
    }
  }

  /// The rows of metrics that a training which traces would have written.
  private func rows(_ result: ProcessResult) -> [Substring] {
    result.output.split(separator: "\n").filter { $0.hasPrefix("row ") }
  }

  @Test func `training goes on while a checkpoint is written`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = ["training.steps=12", "checkpoint.every=4", "checkpoint.keep=9", "evaluation.every=4"]
      let (lines, result) = try train(
        base, ranks: 2, [("held", settings + ["@hold=4:4"]), ("plain", settings)])
      #expect(lines.map(\.step) == [12, 12] && result.status == 0, "\(result)")
      #expect(lines.first?.digest == lines.last?.digest)
      // What is written late is of the step that it is named for.
      func progress(_ run: String) throws -> TrainingProgress {
        try CheckpointStore.open("\(base)/\(run)/step-00000004.h5").header.progress
      }
      #expect(try progress("held") == progress("plain"))
      func digest(_ run: String) throws -> String {
        try CheckpointStore.open("\(base)/\(run)/step-00000004.h5").digest()
      }
      #expect(try digest("held") == digest("plain"))
    }
  }

  @Test func `the rank that others wait for is known`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      for (ranks, hosts) in [(3, []), (3, ["@hosts=2:1"])] {
        for slow in [0, 2] {
          let settings = ["training.steps=10", "training.log_every=10", "@slow=\(slow)"] + hosts
          let (_, result) = try train(base, ranks: ranks, [("run-\(slow)-\(hosts.count)", settings)])
          let waits = try #require(result.output.firstMatch(of: /waits (\d+) (\S+)/), "\(result)")
          // 9 times 50 ms, which two of three ranks wait.
          #expect(Int(waits.1) == slow && Double(waits.2) ?? 0 > 0.15, "\(result)")
        }
      }
    }
  }

  @Test func theNewestAndTheBestCheckpointsAreKept() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let (lines, result) = try train(
        base, ranks: 1,
        [
          (
            "run",
            [
              "training.steps=14", "checkpoint.every=4", "checkpoint.keep=2", "evaluation.every=3",
              // The decay makes the weights half as large again in every step.
              "training.optimizer.name=sgd", "training.optimizer.learning_rate=1",
              "training.optimizer.weight_decay=2.5",
            ]
          )
        ])
      #expect(lines.map(\.step) == [14], "\(result)")
      let store = CheckpointStore(directory: "\(base)/run")
      #expect(try store.newestSound().file?.header.progress.bestStep == 3)
      #expect(try store.steps() == [3, 12, 14])
      #expect(store.bestPath?.hasSuffix("/step-00000003.h5") == true)
      let names = ["step-00000003", "step-00000012", "step-00000014"]
      #expect(
        try directoryEntries("\(base)/run") == (["best.h5"] + names.flatMap { ["\($0).h5", "\($0).json"] }))
    }
  }

  @Test func earlyStoppingEndsTheRunUntilThePatienceIsRaised() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "training.steps=30", "evaluation.every=1", "training.optimizer.learning_rate=5", "@trace",
      ]
      let (lines, result) = try train(
        base, ranks: 2,
        [
          ("run", settings + ["evaluation.patience=2"]), ("run", settings + ["evaluation.patience=2"]),
          ("run", settings + ["evaluation.patience=0"]),
        ])
      #expect(lines.map(\.ending) == ["finished", "finished", "finished"], "\(result)")
      let steps = lines.map(\.step)
      #expect(steps[0] < 30 && steps == [steps[0], steps[0], 30], "\(result)")
      let validations = result.output.split(separator: "\n").filter { $0.hasPrefix("validation ") }
      #expect(validations.count == 30)
      #expect(rows(result).contains { $0.hasPrefix("row \(steps[0]) ") }, "the last steps have no row")
    }
  }

  /// Epochs end the run where their last whole step ends; what is left of a step is not begun.
  @Test func epochsEndTheRun() throws {
    try withTemporaryDirectory { base in
      // 24 lanes of 33 of the 901 * 0.9 - 1 pairs: 5 chunks of 8 an epoch.
      try makeTrainingData("\(base)/data.h5", streams: [901])
      let settings = ["training.steps=0", "training.epochs=3", "data.mode=contiguous"]
      let (lines, result) = try train(
        base, ranks: 2, [("one", settings), ("two", settings + ["training.accumulate=2"])])
      #expect(lines.map(\.step) == [15, 7], "\(result)")
    }
  }

  /// Packed epochs differ in their number of chunks; the run is as long as if all were as the first, wherever it is
  /// resumed.
  @Test func packedEpochsCountAsTheFirst() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: (0..<60).map { 2 + $0 * 7 % 61 })
      let schedule = try Schedule(
        streams: SequenceDataset("\(base)/data.h5").split("train").streams, lanes: 24, chunk: 8,
        mode: .packed, traversal: .training(seed: 1))
      let chunks = (0..<3).map { schedule.chunks(inEpoch: $0) }
      #expect(3 * chunks[0] != chunks.reduce(0, +), "\(chunks)")
      let settings = ["training.steps=0", "training.epochs=3", "data.mode=packed"]
      let (lines, result) = try train(
        base, ranks: 2,
        [("whole", settings), ("parts", settings + ["training.epochs=2"]), ("parts", settings)])
      #expect(lines.map(\.step) == [3 * chunks[0], 2 * chunks[0], 3 * chunks[0]], "\(result)")
      #expect(Set(lines.map(\.digest)).count == 2, "\(lines)")
    }
  }
}
