import Crypto
import Dispatch
import Glibc
import HDF5
import Sequences
import Synchronization
import TestSupport
import Testing
import Training

/// A checkpoint is whole or absent, and what is not whole is found out before it is used.
@Suite struct CheckpointStoreTests {
  private static func header(step: Int) throws -> CheckpointHeader {
    var progress = TrainingProgress()
    (progress.step, progress.chunk, progress.bestValidation, progress.bestStep) = (step, 7, 1.5, 10)
    return CheckpointHeader(
      configuration: """
        model: {cell: rnn, embedding: 2, hidden: 60, layers: 1}
        training: {lanes: 2, optimizer: {name: sgd}}

        """,
      data: .language(try Vocabulary(level: .char, spellings: ["a", "b"])),
      datasetFingerprint: "0123", datasetPlace: DatasetPlace(of: "/data/a.h5", run: "/runs/a"), mode: .packed,
      optimizer: "sgd", progress: progress)
  }

  /// The arrays of floats of such a run, in the order of their paths; they lie in the file in both ways, within its
  /// metadata and in chunks.
  private static let shapes: [(path: String, shape: [Int])] = {
    let parameters = [
      ("embedding.weight", [2, 2]), ("head.bias", [2]), ("head.weight", [2, 60]), ("rnn.bias_hh_l0", [60]),
      ("rnn.bias_ih_l0", [60]), ("rnn.weight_hh_l0", [60, 60]), ("rnn.weight_ih_l0", [60, 2]),
    ]
    return ["optimizer/momentum_buffer", "parameters"].flatMap { group in
      parameters.map { (path: "\(group)/\($0.0)", shape: $0.1) }
    } + [(path: "states/rnn.h_l0", shape: [2, 60])]
  }()

  private static func floats(_ shape: [Int], step: Int) -> [Float] {
    (0..<shape.reduce(1, *)).map { Float($0 * step) }
  }

  /// Writes checkpoints of these steps.
  @discardableResult
  private static func write(
    _ directory: String, steps: [Int], to store: CheckpointStore? = nil
  ) throws -> CheckpointStore {
    let store = store ?? CheckpointStore(directory: directory)
    for step in steps {
      let values = floats([3600], step: step)
      try values.withUnsafeBufferPointer { values in
        let floats = shapes.map { path, shape in
          CheckpointArray(
            path: path, shape: shape,
            values: .floats(UnsafeBufferPointer(rebasing: values[..<shape.reduce(1, *)])), description: path)
        }
        let cursors = ["offset", "stream"].map { name in
          CheckpointArray(
            path: "cursors/\(name)", shape: [2], values: .integers([Int64(step), 3]), description: name)
        }
        try store.write(header(step: step), cursors + floats)
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
      #expect(try file.parameterShapes().reduce(0) { $0 + $1.shape.reduce(1, *) } == 3966)
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

  @Test func `what the data are is read as it was written`() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory)
      var header = try Self.header(step: 1)
      header.data = try DataDescription(
        [
          .input: .frames(FrameColumns(["x", "y"], units: ["m", ""], means: [1, 2], scales: [3, 0.1])),
          .target: .tokens(Vocabulary(level: .label, spellings: ["B-X", "O"])),
          .initial: .frames(FrameColumns(["on"], isBinary: true)),
        ], horizon: 2)
      try store.write(header, [])
      let file = try CheckpointFile("\(directory)/step-00000001.h5")
      #expect(file.header == header)
      #expect(file.formatVersion == 2)
    }
  }

  /// SHA-256 over the bytes of all arrays in the order of their paths, and over nothing else.
  @Test func theDigestIsThatOfTheArrays() throws {
    try withTwo { store, _ in
      var hash = SHA256()
      for _ in ["offset", "stream"] { [Int64(20), 3].withUnsafeBytes { hash.update(bufferPointer: $0) } }
      for (_, shape) in Self.shapes {
        Self.floats(shape, step: 20).withUnsafeBytes { hash.update(bufferPointer: $0) }
      }
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

  /// A kill between the two leaves a checkpoint without a manifest: it is taken if all of it is sound.
  @Test func `without a manifest a checkpoint is read through before it is used`() throws {
    try withTwo { store, newest in
      unlink("\(newest).json")
      let whole = try #require(try store.newestSound().file)
      let (header, digest) = (whole.header, try whole.digest())
      #expect(header.progress.step == 20)
      let seed: UInt64 = 20_262
      var random = SplitMix(state: seed)
      let bytes = try readBytes("\(newest).h5")
      var found = 0
      for round in 0..<300 {
        var flipped = bytes
        let place = (bytes.count * round + Int.random(in: 0..<bytes.count, using: &random)) / 300
        flipped[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        try writeBytes(flipped, to: "\(newest).h5")
        let (file, failures) = try store.newestSound()
        if file?.header.progress.step == 20 {
          #expect(file?.header == header && failures.isEmpty, "seed \(seed), byte \(place)")
          #expect(try file?.digest() == digest, "seed \(seed), byte \(place)")
        } else {
          #expect(file?.header.progress.step == 10 && failures.count == 1, "seed \(seed), byte \(place)")
          found += 1
        }
      }
      #expect(found > 150)
    }
  }

  @Test func `a damaged manifest says nothing of the checkpoint`() throws {
    try withTwo { store, newest in
      try writeBytes(readBytes("\(newest).json").prefix(20), to: "\(newest).json")
      #expect(try store.newestSound().file?.header.progress.step == 20)
      try writeBytes(readBytes("\(newest).h5").dropLast(100), to: "\(newest).h5")
      let (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 10 && failures.count == 1)
    }
  }

  /// Sound arrays that are not those of the configuration are no checkpoint.
  @Test func `without a manifest arrays must be those of the configuration`() throws {
    try withTemporaryDirectory { directory in
      let store = CheckpointStore(directory: directory)
      let values: [Float] = [1, 2]
      try values.withUnsafeBufferPointer { values in
        try store.write(
          Self.header(step: 10),
          [
            CheckpointArray(
              path: "parameters/head.bias", shape: [2], values: .floats(values), description: "")
          ])
      }
      unlink("\(directory)/step-00000010.json")
      let (file, failures) = try store.newestSound()
      #expect(file == nil)
      #expect(
        failures.first?.contains(
          "/parameters/head.weight: expected shape [2, 60] for the configuration in the file, found none")
          == true,
        "\(failures)")
    }
  }

  @Test func `manifest, name and file must be of the same step`() throws {
    try withTwo { store, newest in
      let directory = store.directory
      // The whole pair under another name; the file alone, beside the manifest of its new name, and without one.
      func copy(_ from: String, _ to: String) throws {
        try writeBytes(readBytes("\(directory)/\(from)"), to: "\(directory)/\(to)")
      }
      try copy("step-00000010.h5", "step-00000030.h5")
      try copy("step-00000010.json", "step-00000030.json")
      var (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 20)
      #expect(
        failures.first?.contains("the manifest of \"step-00000010.h5\", expected one of \"step-00000030.h5\"")
          == true,
        "\(failures)")
      unlink("\(directory)/step-00000030.json")
      (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 20)
      #expect(
        failures.first?.contains("of step 10, where its name says 30; it is damaged") == true, "\(failures)")
      unlink("\(directory)/step-00000030.h5")
      let manifest = String(decoding: try readBytes("\(newest).json"), as: UTF8.self)
      try writeBytes(manifest.replacing("\"step\" : 20", with: "\"step\" : 21").utf8, to: "\(newest).json")
      (file, failures) = try store.newestSound()
      #expect(file?.header.progress.step == 10)
      #expect(
        failures.first?.contains("of step 20, where its manifest says 21; it is damaged") == true,
        "\(failures)")
      // Elsewhere, and without a manifest, a checkpoint may have any name.
      try copy("step-00000010.h5", "model.h5")
      #expect(try CheckpointStore.open("\(directory)/model.h5").header.progress.step == 10)
    }
  }

  /// The run falls back twice: what it has fallen back to must not be deleted for the sake of what is damaged.
  @Test func `damaged checkpoints do not count among those that are kept`() throws {
    try withTwo { store, newest in
      var bytes = try readBytes("\(newest).h5")
      bytes[bytes.count / 2] ^= 1
      try writeBytes(bytes, to: "\(newest).h5")
      #expect(try store.newestSound().file?.header.progress.step == 10)
      try store.prune(at: 10, keep: 2, bestStep: nil)
      #expect(try store.steps() == [10, 20])
      try Self.write(store.directory, steps: [30], to: store)
      try store.prune(at: 30, keep: 2, bestStep: nil)
      #expect(try store.steps() == [10, 30])
    }
  }

  /// What another process has left is told by its size, and read where it has no manifest.
  @Test func `nor do those that are plainly not whole`() throws {
    try withTwo { store, _ in
      let directory = store.directory
      let later = try Self.write(directory, steps: [30, 40, 50])
      try writeBytes(
        readBytes("\(directory)/step-00000020.h5").dropLast(), to: "\(directory)/step-00000020.h5")
      var bytes = try readBytes("\(directory)/step-00000030.h5")
      bytes[bytes.count / 2] ^= 1
      try writeBytes(bytes, to: "\(directory)/step-00000030.h5")
      for step in [30, 40] { unlink("\(directory)/step-000000\(step).json") }
      let resumed = CheckpointStore(directory: directory)
      #expect(try resumed.newestSound().file?.header.progress.step == 50)
      try resumed.prune(at: 50, keep: 3, bestStep: nil)
      #expect(try resumed.steps() == [10, 40, 50])
      #expect(try later.newestSound().failures.isEmpty)
    }
  }

  /// Checkpoints that a run deletes while another program looks for the newest are no lost ones.
  @Test func `a run that goes on is read without a failure`() throws {
    try withTemporaryDirectory { directory in
      try Self.write(directory, steps: [1])
      let problems = Mutex<[String]>([])
      let last = 80
      DispatchQueue.concurrentPerform(iterations: 2) { thread in
        do {
          let store = CheckpointStore(directory: directory)
          if thread == 0 {
            for step in 2...last {
              try Self.write(directory, steps: [step], to: store)
              try store.prune(at: step, keep: 1, bestStep: step)
            }
            return
          }
          var newest = 0
          while newest < last, problems.withLock(\.isEmpty) {
            let (file, failures) = try store.newestSound()
            let step = file?.header.progress.step ?? 0
            if step < newest || !failures.isEmpty { problems.withLock { $0.append("\(step): \(failures)") } }
            newest = max(newest, step)
            if store.bestPath != nil { _ = try store.best() }
          }
        } catch { problems.withLock { $0.append("\(error)") } }
      }
      #expect(problems.withLock { $0 } == [])
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
      #expect(failures == ["\(newest).h5: can't read: No such file or directory"])
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
      try Self.write(store.directory, steps: [15], to: store)
      try store.prune(at: 15, keep: 1, bestStep: nil)
      #expect(try store.steps() == [15, 20])
      #expect(try store.newestSound().file?.header.progress.step == 15)
      try Self.write(store.directory, steps: [20], to: store)
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
          try $0.set("format_version", 3)
        }
          == "\(directory)/c.h5: written in version 3 of the format \"checkpoint\", and this program reads up to 2; use "
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

  @Test func `progress that an older program has written is read`() throws {
    try withTemporaryDirectory { base in
      let file = try File.create("\(base)/old.h5")
      let attributes = file.attributes
      for name in [
        "step", "epoch", "chunk", "chunks", "best_step", "validations_since_best", "validations_on_plateau",
      ] {
        try attributes.set(name, 7)
      }
      try attributes.set("best_loss", 1.5)
      try attributes.set("learning_rate_factor", 0.5)
      try attributes.set("stopped_early", true)
      let progress = try TrainingProgress(attributes, path: "old.h5")
      #expect(progress.step == 7 && progress.stoppedEarly && progress.bestDueValidation == 1.5)
      #expect(!progress.validationPending && progress.lossSinceRow == 0 && progress.targetsSinceRow == 0)
      try file.close()
    }
  }

  @Test func progressThatCannotBeIsRefused() throws {
    try withTemporaryDirectory { directory in
      for (index, name) in ["step", "epoch", "chunk", "chunks", "learning_rate_factor"].enumerated() {
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
        try bad.attributes.set("best_loss", -1.5)
        try bad.attributes.set("learning_rate_factor", name == "learning_rate_factor" ? -1.0 : 1.0)
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
