import Glibc
import HDF5
import TestSupport
import Testing
import Training

/// Trainings that go wrong on one rank or all: one message, no rank left waiting, the last checkpoint as it was.
@Suite(.serialized) struct TrainingFailureTests {
  /// The lines of a message, one for each rank that reports.
  private func messages(_ result: ProcessResult) -> [String] {
    result.output.split(separator: "\n").filter { $0.hasPrefix("rank ") }.map(String.init)
  }

  @Test func aWeightThatIsNotANumberEndsTheJobBeforeAnythingIsUpdated() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      for ranks in [1, 3] {
        let run = "run-\(ranks)"
        let (_, result) = try train(
          base, ranks: ranks, [(run, ["training.steps=10", "checkpoint.every=4", "@nan=6:1"])])
        #expect(result.status == 2 && !result.timedOut, "\(result)")
        let found = messages(result)
        #expect(found.count == 1, "\(result)")
        let message = found.first ?? ""
        #expect(
          message.hasPrefix(
            "rank 0: step 6: the loss of lane 0 on rank 0 is not finite; the first such tensor is head.weight "
              + "(rank 0); nothing was updated; "), "\(message)")
        let store = CheckpointStore(directory: "\(base)/\(run)")
        #expect(try store.steps() == [4])
        #expect(try store.newestSound().file?.header.progress.step == 4)
      }
    }
  }

  /// The scenario damages the weight after the last step, and before one that would write a checkpoint.
  @Test func `weights that are not finite after an update reach no checkpoint`() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      for (ranks, settings) in [(1, []), (3, []), (2, ["training.steps=12"]), (2, ["evaluation.every=6"])] {
        let run = "run-\(ranks)-\(settings.first ?? "")"
        let (lines, result) = try train(
          base, ranks: ranks,
          [
            (
              run,
              ["training.steps=6", "checkpoint.every=3"] + settings + [
                "training.non_finite=skip", "@nan=7:1",
              ]
            )
          ])
        #expect(result.status == 2 && lines.isEmpty, "\(result)")
        let found = messages(result)
        #expect(found.count == 1, "\(result)")
        let message = found.first ?? ""
        #expect(
          message.hasPrefix("rank 0: step 6: head.weight is not finite after the update; no checkpoint"),
          "\(message)")
        #expect(try CheckpointStore(directory: "\(base)/\(run)").steps() == [3])
      }
    }
  }

  /// In weights that the host owns, and in those that it has from another; told by most hosts, or by two that differ.
  @Test(arguments: [
    ("1:1", 0, "the hosts of rank 0 and of rank 1 differ from each other"),
    ("1:1", 1, "the hosts of rank 0 and of rank 1 differ from each other"),
    ("1:2:1", 0, "the host of rank 0 differ from the other hosts'"),
    ("1:2:1", 2, "the host of ranks 1 to 2 differ from the other hosts'"),
  ])
  func `a bit that flips in a host's memory ends the job before anything is updated`(
    _ hosts: String, _ rank: Int, _ expected: String
  ) throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let ranks = hosts.split(separator: ":").reduce(0) { $0 + (Int($1) ?? 0) }
      let settings = ["training.steps=9", "training.shards=4", "checkpoint.every=2", "@hosts=\(hosts)"]
      let (lines, result) = try train(base, ranks: ranks, [("run", settings + ["@flip=\(rank):5"])])
      #expect(result.status == 2 && !result.timedOut && lines.isEmpty, "\(result)")
      #expect(
        messages(result).map { String($0.prefix(expected.count + 52)) } == [
          "rank 0: step 6: the weights in the memory of \(expected) (train"
        ], "\(result)")
      #expect(try CheckpointStore(directory: "\(base)/run").steps() == [2, 4])
      let (resumed, _) = try train(base, ranks: ranks, [("run", settings), ("whole", settings)])
      #expect(resumed.count == 2 && resumed[0].digest == resumed[1].digest, "\(resumed)")
    }
  }

  /// On one host, on one with another rank, and on one of its own, which only the others can tell of.
  @Test(arguments: ["3", "1:2", "2:1"])
  func `a rank that does not come any more is named once`(_ hosts: String) throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let (lines, result) = try train(
        base, ranks: 3,
        [
          (
            "run",
            [
              "training.steps=9", "checkpoint.every=2", "training.timeout=1", "@suspend=2:3",
              "@hosts=\(hosts)",
            ]
          )
        ])
      #expect(result.status == 1 && !result.timedOut && lines.isEmpty, "\(result)")
      let found = messages(result)
      #expect(found.count == 1 && found[0].contains(#/: step 4: .* for rank 2 of /#), "\(result)")
      #expect(try CheckpointStore(directory: "\(base)/run").newestSound().file?.header.progress.step == 2)
    }
  }

  @Test func aLearningRateFarTooHighEndsTheJob() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "training.steps=200", "training.optimizer.learning_rate=1000", "training.optimizer.name=sgd",
        "training.clip_norm=0", "model.cell=rnn", "model.activation=relu",
      ]
      var found: [String] = []
      for ranks in [1, 2] {
        let (_, result) = try train(base, ranks: ranks, [("run-\(ranks)", settings)])
        #expect(result.status == 2, "\(result)")
        #expect(messages(result).count == 1 && messages(result)[0].contains(" is not finite"), "\(result)")
        found.append(messages(result).first.map { String($0.prefix { $0 != "(" }) } ?? "")
      }
      // The same step, lane and tensor, whatever the ranks.
      #expect(
        found[0].replacing(/on rank \d+/, with: "") == found[1].replacing(/on rank \d+/, with: ""), "\(found)"
      )
    }
  }

  /// A skipped step leaves weights, optimiser and states as they were, and takes its data with it; the states of all
  /// its chunks are undone.
  @Test func aSkippedStepLeavesTheStateAsItWas() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "training.accumulate=2", "training.non_finite=skip", "checkpoint.every=6", "checkpoint.keep=20",
        "training.non_finite_limit=2",
      ]
      var digests: Set<String> = []
      for ranks in [1, 2, 8] {
        let (lines, result) = try train(
          base, ranks: ranks, [("run-\(ranks)", settings + ["training.steps=10", "@nan=5:2", "@trace"])])
        let line = try #require(lines.first, "\(result)")
        #expect(line.ending == "finished" && line.step == 10 && line.skipped == 2, "\(result)")
        #expect(result.output.contains("; the step is skipped\n"))
        digests.insert(line.digest)
      }
      #expect(digests.count == 1)

      // Until the scenario takes back the weight that it has put there, no checkpoint can be written.
      _ = try train(base, ranks: 2, [("before", settings + ["training.steps=4"])])
      func arrays(_ run: String, _ step: Int) throws -> [String: [Float]] {
        let file = try File.open("\(base)/\(run)/step-0000000\(step).h5")
        let paths = try file.datasetPaths().filter { $0.contains(/^(parameters|optimizer|states)\//) }
        return Dictionary(
          uniqueKeysWithValues: try paths.map { ($0, try file.dataset($0).readArray(of: Float.self)) })
      }
      let before = try arrays("before", 4)
      #expect(before.count > 10)
      #expect(try arrays("run-2", 6) == before)
    }
  }

  @Test func onlySoManyStepsInARowAreSkipped() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let settings = [
        "training.steps=10", "training.non_finite=skip", "training.non_finite_limit=2", "@nan=5:3", "@trace",
      ]
      let (_, result) = try train(base, ranks: 2, [("run", settings)])
      #expect(result.status == 2, "\(result)")
      let found = messages(result)
      #expect(found.count == 1)
      #expect(found.first?.hasPrefix("rank 0: step 7: ") == true, "\(result)")
      #expect(found.first?.contains("head.weight (rank 0), after 2 skipped in a row; nothing") == true)
    }
  }

  /// The second chunk of the file's values is damaged, which only the last lane comes to, when it has read and trained
  /// on its first 9 chunks.
  @Test func dataThatOneRankCannotReadEndTheJob() throws {
    try withTemporaryDirectory { base in
      try makeDamagedTrainingData(in: base)
      let settings = [
        "training.lanes=8", "training.chunk=2048", "model.hidden=4", "model.embedding=2", "model.layers=1",
        "training.steps=100", "checkpoint.every=2",
      ]
      for ranks in [1, 3] {
        let (_, result) = try train(base, ranks: ranks, [("run-\(ranks)", settings)], data: "bad.h5")
        #expect(result.status == 2 && !result.timedOut, "\(result)")
        let found = messages(result)
        #expect(found.count == 1, "\(result)")
        let prefix = ranks == 1 ? "rank 0: " : "rank 0: rank \(ranks - 1): "
        #expect(found.first?.hasPrefix("\(prefix)\(base)/bad.h5: ") == true, "\(result)")
        let newest = try CheckpointStore(directory: "\(base)/run-\(ranks)").newestSound()
        #expect(newest.file?.header.progress.step == 8 && newest.failures.isEmpty)
      }
    }
  }

  @Test func aCheckpointThatCannotBeWrittenEndsTheJob() throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      // Nobody may make a file there, not even root.
      let arguments =
        ["train", "\(base)/data.h5", "/proc/self"] + smallSettings + ["checkpoint.every=2"]
      let result = try mpirun(ranks: 3, "MultiRank", arguments)
      #expect(result.status == 2 && !result.timedOut, "\(result)")
      #expect(messages(result).count == 1, "\(result)")
      #expect(messages(result).first?.contains("/proc/self/") == true, "\(result)")
    }
  }

  /// A limit on the size of files stands for a full disk: writes fail in the midst of a file.
  @Test(arguments: [4, 16, 40]) func aFullDiskCommitsNothing(kibibytes: Int) throws {
    try withTemporaryDirectory { base in
      try makeTrainingData("\(base)/data.h5", streams: [6000])
      let (lines, _) = try train(base, ranks: 1, [("run", ["training.steps=3"])])
      let first = try #require(lines.first)
      let names = try directoryEntries("\(base)/run")
      let command =
        [
          try builtProgram("MultiRank"), "train", "\(base)/data.h5", "\(base)/run",
        ] + smallSettings
      let result = try runProcess(
        "bash", ["-c", "trap '' XFSZ; ulimit -f \(kibibytes); exec \"$@\"", "bash"] + command,
        environment: ["OMP_NUM_THREADS": "1"])
      #expect(result.status == 2, "\(result)")
      #expect(messages(result).count == 1, "\(result)")
      #expect(try directoryEntries("\(base)/run") == names)
      #expect(try CheckpointStore(directory: "\(base)/run").newestSound().file?.digest() == first.digest)
      // With room again, it goes on as if nothing had been.
      let (again, _) = try train(base, ranks: 2, [("run", []), ("whole", [])])
      #expect(again.map(\.step) == [6, 6] && again[0].digest == again[1].digest)
    }
  }
}
