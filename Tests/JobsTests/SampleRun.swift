import HDF5
import Sequences
import TestSupport

/// A small run on a dataset of its own, in a directory of its own.
struct SampleRun {
  /// Where everything lies.
  let directory: String
  /// How streams are laid over lanes.
  let mode: String

  var path: String { "\(directory)/run" }
  var dataPath: String { "\(directory)/data.h5" }

  /// Characters that the model knows.
  static let letters = ["\n", "a", "b", "c", "d", "e", "f", "g", "ä"]

  /// Trains 12 steps of an Elman network, or as `settings` change it, on 60 streams of characters; they go when `body` is
  /// done.
  static func with(
    mode: String, lanes: Int = 8, chunk: Int = 4, settings changes: [String] = [],
    _ body: (SampleRun) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      let run = SampleRun(directory: directory, mode: mode)
      try makeDataset(run.dataPath, splits: ["train", "validation", "test"])
      let settings = [
        "data.path=\(run.dataPath)", "data.mode=\(mode)", "model.cell=rnn", "model.embedding=5",
        "model.hidden=6", "model.layers=1", "training.lanes=\(lanes)", "training.chunk=\(chunk)",
        "training.shards=1",
        "training.steps=12", "training.log_every=100", "checkpoint.every=4", "checkpoint.keep=3",
        "evaluation.every=6",
      ]
      let result = try mpirun(ranks: 1, "MultiRank", ["training-run", run.path] + settings + changes)
      guard result.status == 0 else { throw SystemError("training: \(result)", code: 0) }
      try body(run)
    }
  }

  /// A dataset of streams of 1 to 254 tokens, a third of them in each split: enough for several lanes, and none so long
  /// that a lane is led in to only a part of it.
  static func makeDataset(_ path: String, splits: [String], letters: [String] = letters) throws {
    let vocabulary = try Vocabulary(level: .char, spellings: letters)
    try DatasetWriter.create(path, vocabulary: vocabulary, origin: DatasetOrigin(command: "a test")) {
      writer in
      var next = 0
      var ends: [Int] = []
      for stream in 0..<60 {
        for _ in 0..<stream * 7 % 257 + 1 {
          next = (next * 5 + stream + 3) % 8
          try writer.append(Int32(next))
        }
        writer.endStream()
        if stream % 20 == 19 { ends.append(writer.tokenCount) }
      }
      return splits.enumerated().map { index, name in
        DatasetWriter.Split(name: name, range: (index == 0 ? 0 : ends[index - 1])..<ends[index])
      }
    }
  }

  /// Runs the program on so many ranks.
  func seqtrain(ranks: Int = 1, _ arguments: [String]) throws -> ProcessResult {
    try mpirun(ranks: ranks, "seqtrain", arguments)
  }
}

/// All numbers in a group of a file, by default the whole, by the paths of their datasets.
func numbers(in path: String, under group: String? = nil) throws -> [String: [Double]] {
  let file = try File.open(path)
  let group = try group.map(file.group) ?? file
  return try Dictionary(
    uniqueKeysWithValues: group.datasetPaths().map { ($0, try group.dataset($0).readArray(of: Double.self)) })
}

/// The lines of a file of text.
func lines(_ path: String) throws -> [Substring] {
  String(decoding: try readBytes(path), as: UTF8.self).split(separator: "\n")
}
