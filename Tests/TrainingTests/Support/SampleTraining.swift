import Core
import FileSystem
import HDF5
import Sequences
import TestSupport
import Testing
import Training

/// Makes a dataset of streams of these lengths in a vocabulary of 11 tokens: each token depends on the one before and
/// on noise, so that there is something to learn. The last tenth is for validation.
func makeTrainingData(_ path: String, streams lengths: [Int]) throws {
  let spellings = "abcdefghijk".map(String.init)
  var noise: UInt32 = 1
  try DatasetWriter.create(
    path, vocabulary: Vocabulary(level: .char, spellings: spellings),
    origin: DatasetOrigin(command: "a test")
  ) { writer in
    var token = 0
    for length in lengths {
      for _ in 0..<length {
        noise = noise &* 1_664_525 &+ 1_013_904_223
        token = noise >> 30 == 0 ? Int(noise >> 8) % 11 : (token * 3 + 1) % 11
        try writer.append(Int32(token))
      }
      writer.endStream()
    }
    let cut = writer.tokenCount * 9 / 10
    return [
      DatasetWriter.Split(name: "train", range: 0..<cut),
      DatasetWriter.Split(name: "validation", range: cut..<writer.tokenCount),
    ]
  }
}

/// Settings of a training that takes milliseconds.
let smallSettings = [
  "model.embedding=8", "model.hidden=16", "model.layers=2", "training.lanes=24", "training.shards=8",
  "training.chunk=8", "training.steps=6", "checkpoint.every=0", "evaluation.every=0",
]

/// What the scenario `train` printed of one training.
struct TrainingLine: Equatable {
  let name: String
  let ending: String
  let step: Int
  let skipped: Int
  let digest: String
}

/// Trains as each of `commands`, in one job: a directory's name and settings, which come after `smallSettings`.
///
/// - Parameter base: where `data.h5` and the directories are.
func train(
  _ base: String, ranks: Int, _ commands: [(name: String, settings: [String])], data: String = "data.h5"
) throws -> (lines: [TrainingLine], result: ProcessResult) {
  var arguments = ["train"]
  for (index, command) in commands.enumerated() {
    try Files.makeDirectory("\(base)/\(command.name)")
    arguments += index == 0 ? [] : ["--"]
    arguments += ["\(base)/\(data)", "\(base)/\(command.name)"] + smallSettings + command.settings
  }
  let result = try mpirun(ranks: ranks, "MultiRank", arguments, environment: ["OMP_NUM_THREADS": "1"])
  let lines = result.output.split(separator: "\n").compactMap { line -> TrainingLine? in
    let words = line.split(separator: " ").map(String.init)
    guard words.count == 5, words[4].count == 64 || words[4] == "none", let step = Int(words[2]),
      let skipped = Int(words[3])
    else { return nil }
    return TrainingLine(name: words[0], ending: words[1], step: step, skipped: skipped, digest: words[4])
  }
  return (lines, result)
}

/// Makes `bad.h5` in a directory, a dataset of one long stream of which the second chunk of the file's values is damaged.
func makeDamagedTrainingData(in base: String) throws {
  try makeTrainingData("\(base)/data.h5", streams: [307_000])
  var bytes = try readBytes("\(base)/data.h5")
  // The tokens lie in chunks of 256 KiB, one byte each: where the second ends is as good a place as any.
  let place = try #require(lastToken(of: bytes))
  bytes[place - 100] ^= 1
  try writeBytes(bytes, to: "\(base)/bad.h5")
}

/// Where the longest run of bytes that are tokens ends: within the data, before the padding of the last chunk.
private func lastToken(of bytes: [UInt8]) -> Int? {
  bytes.indices.last {
    bytes[$0] > 0 && bytes[$0] < 11 && $0 > 100 && bytes[($0 - 100)...$0].allSatisfy { $0 < 11 }
  }
}
