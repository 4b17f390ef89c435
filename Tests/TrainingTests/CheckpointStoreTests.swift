import Crypto
import Glibc
import HDF5
import Sequences
import TestSupport
import Testing
import Training

/// A checkpoint is whole or absent, and what is not whole is found out before it is used.
@Suite struct CheckpointStoreTests {
  private static func header(step: Int) throws -> CheckpointHeader {
    var progress = TrainingProgress()
    (progress.step, progress.chunk, progress.bestLoss, progress.bestStep) = (step, 7, 1.5, 10)
    return CheckpointHeader(
      configuration: "data:\n  path: a.h5\n",
      vocabulary: try Vocabulary(level: .char, spellings: ["a", "b"]),
      datasetFingerprint: "0123", mode: .packed, optimizer: "adam", progress: progress)
  }

  /// Writes checkpoints of these steps, with arrays that lie in the file in both ways.
  @discardableResult
  private static func write(_ directory: String, steps: [Int]) throws -> CheckpointStore {
    let store = CheckpointStore(directory: directory)
    for step in steps {
      let floats = (0..<6000).map { Float($0 * step) }
      try floats.withUnsafeBufferPointer { floats in
        try store.write(
          header(step: step),
          [
            CheckpointArray(
              path: "parameters/head.weight", shape: [60, 100], values: .floats(floats),
              description: "weights"),
            CheckpointArray(
              path: "states/rnn.h_l0", shape: [2, 3],
              values: .floats(UnsafeBufferPointer(rebasing: floats[..<6])), description: "states"),
            CheckpointArray(
              path: "cursors/stream", shape: [2], values: .integers([Int64(step), 3]), description: "streams"),
          ])
      }
    }
    return store
  }

  /// The two checkpoints that most tests begin with.
  private func withTwo(_ body: (_ store: CheckpointStore, _ newest: String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      try body(try Self.write(directory, steps: [10, 20]), "\(directory)/step-00000020")
    }
  }

  @Test func whatIsWrittenIsRead() throws {
    try withTwo { store, newest in
      let file = try #require(try store.newestSound().file)
      #expect(try file.header == Self.header(step: 20))
      #expect(try file.parameterShapes().reduce(0) { $0 + $1.shape.reduce(1, *) } == 6000)
      let bytes = try readBytes("\(newest).h5")
      let digest = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      let manifest = String(decoding: try readBytes("\(newest).json"), as: UTF8.self)
      #expect(
        manifest.contains(#""sha256" : "\#(digest)""#) && manifest.contains(#""bytes" : \#(bytes.count)"#))
      #expect(manifest.contains(#""file" : "step-00000020.h5""#) && manifest.contains(#""step" : 20"#))
      #expect(
        try directoryEntries(store.directory) == [
          "step-00000010.h5", "step-00000010.json", "step-00000020.h5", "step-00000020.json",
        ])
    }
  }

  /// SHA-256 over the bytes of all arrays in the order of their paths, and over nothing else.
  @Test func theDigestIsThatOfTheArrays() throws {
    try withTwo { store, _ in
      let floats = (0..<6000).map { Float($0 * 20) }
      var hash = SHA256()
      [Int64(20), 3].withUnsafeBytes { hash.update(bufferPointer: $0) }
      floats.withUnsafeBytes { hash.update(bufferPointer: $0) }
      floats[..<6].withUnsafeBytes { hash.update(bufferPointer: $0) }
      let expected = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      let file = try #require(try store.newestSound().file)
      #expect(try file.digest() == expected)
    }
  }

  @Test func aTruncatedNewestFallsBack() throws {
    try withTwo { store, newest in
      let bytes = try readBytes("\(newest).h5")
      for length in [0, 1, 8, 100, bytes.count / 2, bytes.count - 1] {
        try writeBytes(bytes[..<length], to: "\(newest).h5")
        let (file, failures) = try store.newestSound()
        #expect(file?.header.progress.step == 10)
        #expect(
          failures == ["\(newest).h5: \(length) bytes, where the manifest says \(bytes.count); it is damaged"]
        )
      }
    }
  }

  /// Flips of one bit anywhere in the checkpoint or its manifest: the checkpoint before is taken, or, where the manifest
  /// says the same as before to us, this one, unharmed.
  @Test func flippedBitsAreFound() throws {
    try withTwo { store, newest in
      let whole = try #require(try store.newestSound().file).digest()
      let seed: UInt64 = 20_261
      var random = SplitMix(state: seed)
      for suffix in ["h5", "json"] {
        let path = "\(newest).\(suffix)"
        let bytes = try readBytes(path)
        for round in 0..<200 {
          var flipped = bytes
          // Every region of the file in turn.
          let place = (bytes.count * round + Int.random(in: 0..<bytes.count, using: &random)) / 200
          flipped[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
          try writeBytes(flipped, to: path)
          let (file, failures) = try store.newestSound()
          if file?.header.progress.step == 20 {
            #expect(suffix == "json" && failures.isEmpty, "seed \(seed), byte \(place)")
            #expect(try file?.digest() == whole)
          } else {
            #expect(file?.header.progress.step == 10 && failures.count == 1, "seed \(seed), byte \(place)")
            #expect(failures.first?.contains("damaged") == true)
          }
        }
        try writeBytes(bytes, to: path)
      }
      #expect(try store.newestSound().failures.isEmpty)
    }
  }

  /// Away from its run a checkpoint has no manifest; HDF5's own checksums remain.
  @Test func withoutAManifestItIsReadOnItsOwn() throws {
    try withTwo { store, newest in
      unlink("\(newest).json")
      let file = try #require(try store.newestSound().file)
      #expect(file.header.progress.step == 20)
    }
  }

  @Test func whatAnInterruptedWriteLeavesIsNoCheckpoint() throws {
    try withTwo { store, newest in
      let directory = store.directory
      try writeBytes([1, 2, 3], to: "\(directory)/.step-00000030.h5.77-1.partial")
      #expect(try store.steps() == [10, 20])
      let (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 20 && failures.isEmpty)
      try store.prune(at: 20, keep: 2, bestStep: nil)
      #expect(
        try directoryEntries(directory) == [
          "step-00000010.h5", "step-00000010.json", "step-00000020.h5", "step-00000020.json",
        ])
    }
  }

  @Test func aLostCheckpointIsMissed() throws {
    try withTwo { store, newest in
      unlink("\(newest).h5")
      let (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 10)
      #expect(failures == ["\(newest).h5: can't open: No such file or directory"])
      try store.prune(at: 10, keep: 1, bestStep: nil)
      #expect(try directoryEntries(store.directory) == ["step-00000010.h5", "step-00000010.json"])
    }
  }

  @Test func aNameThatCannotBeTakenLeavesTheOthersAsTheyWere() throws {
    try withTwo { store, _ in
      mkdir("\(store.directory)/step-00000030.h5", 0o755)
      let found = message { try Self.write(store.directory, steps: [30]) }
      #expect(
        found.contains("\(store.directory)/step-00000030.h5: can't put the new file in place"), "\(found)")
      let (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 20 && failures.count == 1)
      #expect(try !directoryEntries(store.directory).contains { $0.hasSuffix(".partial") })
    }
  }

  @Test func aDirectoryThatTakesNoFilesIsNamed() {
    let found = message { try Self.write("/proc/self", steps: [10]) }
    #expect(found.hasPrefix("/proc/self/"), "\(found)")
    #expect(found.contains("step-00000010.h5"), "\(found)")
  }

  /// A run that has fallen back comes to write checkpoints before damaged ones, which count for nothing.
  @Test func damagedLaterCheckpointsDoNotPushOutNewOnes() throws {
    try withTwo { store, newest in
      try writeBytes([1], to: "\(newest).h5")
      try Self.write(store.directory, steps: [15])
      try store.prune(at: 15, keep: 1, bestStep: nil)
      #expect(try store.steps() == [15, 20])
      #expect(try store.newestSound().file?.header.progress.step == 15)
      try Self.write(store.directory, steps: [20])
      try store.prune(at: 20, keep: 1, bestStep: nil)
      #expect(try store.steps() == [20])
      #expect(try store.newestSound().file?.header.progress.step == 20)
    }
  }

  @Test func theBestIsKeptAndLinked() throws {
    try withTwo { store, _ in
      #expect(store.bestPath == nil)
      try Self.write(store.directory, steps: [30, 40])
      try store.prune(at: 40, keep: 1, bestStep: 10)
      #expect(try store.steps() == [10, 40])
      let best = "\(store.directory)/best.h5"
      #expect(try CheckpointStore.open(best).header.progress.step == 10)
      try store.prune(at: 40, keep: 1, bestStep: 40)
      #expect(try store.steps() == [40])
      #expect(try CheckpointStore.open(best).header.progress.step == 40)
      // Through the link too it is checked against its manifest.
      var bytes = try readBytes(best)
      bytes[bytes.count / 2] ^= 4
      try writeBytes(bytes, to: "\(store.directory)/step-00000040.h5")
      #expect(
        message { try CheckpointStore.open(best) }.contains("its SHA-256 is not the one in its manifest"))
    }
  }

  @Test func filesOfAnotherKindOrVersionAreRefused() throws {
    try withTemporaryDirectory { directory in
      func found(_ name: String, _ attributes: (Attributes) throws -> Void) throws -> String {
        let file = try File.create("\(directory)/\(name)")
        try attributes(file.attributes)
        try file.close()
        return message { try CheckpointStore.open("\(directory)/\(name)") }
      }
      #expect(
        try found("a.h5") { try $0.set("kind", "dataset") }
          == "\(directory)/a.h5: expected a file of kind \"checkpoint\", found one of kind \"dataset\"; checkpoints lie "
          + "in the directory checkpoints of a run")
      #expect(try found("b.h5") { _ in }.contains("found an HDF5 file without the attribute \"kind\""))
      #expect(
        try found("c.h5") {
          try $0.set("kind", "checkpoint")
          try $0.set("format_version", 2)
        }
          == "\(directory)/c.h5: written in version 2 of the format \"checkpoint\", and this program reads up to 1; use "
          + "the version of the program that wrote it, or a newer one")
      #expect(
        try found("d.h5") {
          try $0.set("kind", "checkpoint")
          try $0.set("format_version", 0)
        }.hasPrefix("\(directory)/d.h5: the attribute \"format_version\" is 0, expected 1 or more"))
      try writeBytes("not HDF5".utf8, to: "\(directory)/e.h5")
      #expect(message { try CheckpointStore.open("\(directory)/e.h5") }.hasPrefix("\(directory)/e.h5: "))
      #expect(message { try CheckpointStore.open("\(directory)/f.h5") }.hasPrefix("\(directory)/f.h5: "))
    }
  }

  @Test func progressThatCannotBeIsRefused() throws {
    try withTemporaryDirectory { directory in
      for (index, name) in ["step", "epoch", "chunk", "chunks", "best_loss"].enumerated() {
        let path = "\(directory)/\(index).h5"
        let file = try File.create(path)
        try TrainingProgress().write(to: file.attributes)
        try file.close()
        let bad = try File.create(path + ".bad")
        for other in [
          "step", "epoch", "chunk", "chunks", "best_step", "validations_since_best", "validations_on_plateau",
        ] {
          try bad.attributes.set(other, other == name ? -1 : 3)
        }
        try bad.attributes.set("best_loss", name == "best_loss" ? -1.0 : 1.0)
        try bad.attributes.set("learning_rate_factor", 1.0)
        try bad.attributes.set("stopped_early", false)
        #expect(try TrainingProgress(File.open(path).attributes, path: path) == TrainingProgress())
        #expect(
          message { try TrainingProgress(bad.attributes, path: "x.h5") }.hasPrefix(
            "x.h5: the attribute \(name) is -1"))
      }
    }
  }

  /// Numbers from a seed (Steele et al. 2014).
  private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }
}
