import Glibc
import HDF5
import TestSupport
import Testing

/// A file that is not what a command needs, and what the command has to say of it.
struct BadFile: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let make: @Sendable (_ path: String) throws -> Void
  let expected: [String]

  init(_ name: String, _ expected: String..., make: @escaping @Sendable (_ path: String) throws -> Void) {
    (testDescription, self.expected, self.make) = (name, expected, make)
  }

  /// A dataset that is sound except for one change.
  init(dataset name: String, _ expected: String..., change: @escaping @Sendable (inout RawDataset) -> Void) {
    (testDescription, self.expected) = (name, expected)
    make = { path in
      var dataset = RawDataset()
      change(&dataset)
      try dataset.write(path)
    }
  }

  /// Files that are nothing at all, whatever was wanted.
  static let hopeless = [
    BadFile("missing", "x.h5: cannot be opened: No such file or directory") { _ in },
    BadFile("empty", "x.h5: is empty, not an HDF5 file; ") { try writeBytes([], to: $0) },
    BadFile("text", "x.h5: is not an HDF5 file", "signature", "; ") {
      try writeBytes("To be, or not to be, that is the question".utf8, to: $0)
    },
    BadFile("a FIFO", "x.h5: is a FIFO, not an HDF5 file; ") { mkfifo($0, 0o644) },
    BadFile("truncated", "x.h5: the file is truncated; copy or write it anew") {
      try RawDataset().write($0)
      try writeBytes(try readBytes($0).dropLast(500), to: $0)
    },
    BadFile("made by another program", "x.h5: expected a file of kind", "without the attribute \"kind\"; ") {
      path in
      let file = try File.create(path)
      try file.write("x", [1.0])
      try file.close()
    },
  ]

  static let datasets =
    hopeless + [
      BadFile("a directory", "x.h5: is a directory, not an HDF5 file; `seqtrain data import`") {
        mkdir($0, 0o755)
      },
      BadFile(
        dataset: "a checkpoint",
        "x.h5: expected a file of kind \"dataset\", found one of kind \"checkpoint\"",
        "`seqtrain data import` makes"
      ) { $0.kind = "checkpoint" },
      BadFile(
        dataset: "a newer format", "x.h5: written in version 3 of the format \"dataset\"", "reads up to 2",
        "or a newer one"
      ) { $0.version = 3 },
      BadFile(
        dataset: "no version of a format", "x.h5: the attribute \"format_version\" is 0, expected 1 or more"
      ) {
        $0.version = 0
      },
      BadFile(
        dataset: "offsets that do not ascend",
        "x.h5: offsets must ascend, but stream 1 goes from token 250 to token 200; make the dataset anew"
      ) { $0.offsets = [0, 250, 200, 600] },
      BadFile(
        dataset: "offsets that do not end with the values",
        "x.h5: /offsets goes from 0 to 599, expected 0 to 600, the number of values"
      ) { $0.offsets = [0, 250, 599] },
      BadFile(
        dataset: "a token outside the vocabulary",
        "x.h5: token 555 is 3, outside the vocabulary of 3; make the dataset anew"
      ) { $0.values[555] = 3 },
      BadFile(
        dataset: "an empty split", "x.h5: split train goes from token 7 to token 7", "must not be empty"
      ) {
        $0.splits["train"] = [7, 7]
      },
      BadFile(
        dataset: "a split beyond the end", "x.h5: split validation goes from token 400 to token 601 of 600"
      ) {
        $0.splits["validation"] = [400, 601]
      },
      BadFile(dataset: "a split of one token", "x.h5: split validation has no stream of 2 tokens or more") {
        $0.splits["validation"] = [400, 401]
      },
    ]

  static let checkpoints =
    hopeless + [
      BadFile("a directory that is no run", "x.h5: no checkpoint that can be read: not a run") {
        mkdir($0, 0o755)
      },
      BadFile(
        dataset: "a dataset", "x.h5: expected a file of kind \"checkpoint\", found one of kind \"dataset\"",
        "of a run"
      ) { _ in },
      BadFile(
        dataset: "a newer format", "x.h5: written in version 7 of the format \"checkpoint\"", "reads up to 2",
        "or a newer one"
      ) {
        $0.kind = "checkpoint"
        $0.version = 7
      },
      BadFile(dataset: "a checkpoint without its parts", "x.h5: ", "\"configuration\"") {
        $0.kind = "checkpoint"
      },
    ]
}

/// Files that are no good: one message, status 1, nothing written.
@Suite(.serialized) struct BadFileTests {
  private let settings = set([
    "data.path=x.h5", "model.hidden=4", "model.embedding=2", "training.lanes=2", "training.chunk=8",
    "training.steps=2", "training.shards=2", "evaluation.every=1",
  ])

  @Test(arguments: BadFile.datasets) func `a bad dataset is refused`(_ file: BadFile) throws {
    try Workspace.with { place in
      try file.make(place("x.h5"))
      let before = try place.entries
      expectRefusal(
        try place.seqtrain(ranks: 2, ["train", "--run", "run"] + settings), file.expected)
      expectRefusal(try place.seqtrain(["data", "info", "x.h5"]), file.expected)
      #expect(try place.entries == before)
    }
  }

  @Test func `datasets that are not the same on all ranks are refused`() throws {
    try Workspace.with { place in
      for rank in 0..<2 {
        mkdir(place("\(rank)"), 0o755)
        try place.makeTales("\(rank)/x.h5", seed: rank)
      }
      let job = try startJob(
        ranks: 2, "seqtrain", ["train", "--run", place("run")] + settings, directory: place.path,
        directoryOfRank: true)
      expectRefusal(
        try job.wait(),
        [
          "rank 1: x.h5: not the dataset that rank 0 finds there: its fingerprint is ",
          "give every host the same file",
        ])
      #expect(try place.entries == ["0", "1"])
    }
  }

  @Test(arguments: BadFile.checkpoints) func `a bad checkpoint is refused`(_ file: BadFile) throws {
    try Workspace.with { place in
      try file.make(place("x.h5"))
      let before = try place.entries
      expectRefusal(try place.seqtrain(ranks: 2, ["eval", "x.h5", "--output", "e.h5"]), file.expected)
      expectRefusal(try place.seqtrain(["generate", "x.h5"]), file.expected)
      #expect(try place.entries == before)
    }
  }

  /// Opening a FIFO that has no other end would wait for ever.
  @Test func `a FIFO in the place of a file is refused`() throws {
    try Workspace.with { place in
      try RawDataset().write(place("x.h5"))
      try place.output(["data", "seal", "x.h5"])
      try place.output(["train", "--run", "run"] + settings)
      let before = try place.inspect("run")
      let more = settings + set(["training.steps=3"])
      for name in ["config.yaml", "metrics.jsonl", "run.log", "lock"] {
        rename(place("run/\(name)"), place("saved"))
        mkfifo(place("run/\(name)"), 0o644)
        expectRefusal(
          try place.seqtrain(["train", "--run", "run"] + more),
          ["run/\(name): is a FIFO, not a regular file; "])
        rename(place("saved"), place("run/\(name)"))
      }
      mkfifo(place("my.yaml"), 0o644)
      expectRefusal(
        try place.seqtrain(["train", "my.yaml"] + more), ["my.yaml: is a FIFO, not a regular file; "])
      // A manifest that can't be read vouches for nothing.
      unlink(place("run/checkpoints/step-00000002.json"))
      mkfifo(place("run/checkpoints/step-00000002.json"), 0o644)
      #expect(try place.inspect("run") == before)
    }
  }

  @Test func `a bad dataset is refused by an evaluation too`() throws {
    try Workspace.with { place in
      try RawDataset().write(place("sound.h5"))
      try place.output(["data", "seal", "sound.h5"])
      try place.output(["train", "--run", "run"] + settings + set(["data.path=sound.h5"]))
      // All that its opening may meet is met above; here a file is missing, foreign, and unsound on one rank.
      for file in BadFile.datasets
      where ["missing", "text", "a token outside the vocabulary"].contains(file.testDescription) {
        try file.make(place("x.h5"))
        let before = try place.entries
        let arguments = ["eval", "run", "--data", "x.h5", "--split", "validation", "--output", "e.h5"]
        expectRefusal(try place.seqtrain(ranks: 2, arguments), file.expected)
        #expect(try place.entries == before, "\(file.testDescription)")
        removeTree(place("x.h5"))
      }
    }
  }

  @Test func `a damaged checkpoint of a run is passed over, or refused where there is no other`() throws {
    try Workspace.with { place in
      try RawDataset().write(place("x.h5"))
      try place.output(["data", "seal", "x.h5"])
      try place.output(["train", "--run", "run"] + settings + set(["checkpoint.every=1"]))
      let newest = "run/checkpoints/step-00000002.h5"
      try writeBytes(try readBytes(place(newest)).dropLast(9), to: place(newest))
      let result = try place.seqtrain(
        ranks: 2, ["train", "--run", "run"] + settings + set(["training.steps=3"]))
      #expect(result.status == 0, "\(result)")
      #expect(result.output.contains("warning: run/checkpoints/step-00000002.h5: "), "\(result)")
      #expect(
        result.output.contains("where the manifest says") && result.output.contains("resumed at step 1"))
      #expect(try place.inspect("run").step == 3)

      let names = try directoryEntries(place("run/checkpoints")).filter { $0.hasPrefix("step-") }
      for name in names where name.hasSuffix(".h5") { try place.write("run/checkpoints/\(name)", "damaged") }
      expectRefusal(
        try place.seqtrain(ranks: 2, ["train", "--run", "run"] + settings + set(["training.steps=3"])),
        ["run/checkpoints: no checkpoint can be read: ", "step-00000003.h5", "move them away to begin anew"])
      #expect(try directoryEntries(place("run/checkpoints")).filter { $0.hasPrefix("step-") } == names)
    }
  }
}
