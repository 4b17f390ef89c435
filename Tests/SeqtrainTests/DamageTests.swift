import Glibc
import TestSupport
import Testing

/// Files of a run that are damaged while it does not run: it goes on with what is sound.
@Suite(.serialized) struct DamageTests {
  private let settings = [
    "data.path=tales.h5", "model.hidden=128", "model.embedding=8", "training.lanes=8", "training.chunk=8",
    "training.shards=2", "checkpoint.every=4", "evaluation.every=0",
  ]

  private func train(_ changes: String...) -> [String] {
    ["train", "--run", "run"] + set(settings + changes)
  }

  /// Flips a bit in the middle of a checkpoint.
  private func damage(_ place: Workspace, step: Int, byte: Int? = nil) throws {
    let path = place("run/checkpoints/step-0000000\(step).h5")
    var bytes = try readBytes(path)
    bytes[byte ?? bytes.count / 2] ^= 16
    try writeBytes(bytes, to: path)
  }

  @Test func `a run survives when its newest checkpoint is damaged, twice`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(train("training.steps=6"))
      try damage(place, step: 6)
      let resumed = try place.output(train("training.steps=8"))
      #expect(resumed.contains("step-00000006.h5: its SHA-256") && resumed.contains("resumed at step 4"))
      try damage(place, step: 8)
      let again = try place.output(train("training.steps=8"))
      #expect(again.contains("resumed at step 4") && again.contains("finished at step 8"), "\(again)")
      try place.output(["train", "--run", "whole"] + set(settings + ["training.steps=8"]))
      #expect(try place.inspect("run") == place.inspect("whole"))
      #expect(
        try directoryEntries(place("run/checkpoints")) == [
          "step-00000004.h5", "step-00000004.json", "step-00000008.h5", "step-00000008.json",
        ])
    }
  }

  /// A kill between a checkpoint and its manifest leaves nothing that vouches for the file.
  @Test func `a run goes on whatever bit is flipped in a checkpoint without a manifest`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(train("training.steps=6"))
      let path = place("run/checkpoints/step-00000006.h5")
      let digest = try place.inspect("run").digest
      let size = try readBytes(path).count
      // Places from a linear congruential generator (Knuth 1997).
      var random: UInt64 = 20_263
      for round in 0..<20 {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let byte = (size * round + Int(random >> 33) % size) / 20
        try damage(place, step: 6, byte: byte)
        unlink(place("run/checkpoints/step-00000006.json"))
        let output = try place.output(train("training.steps=6"))
        #expect(output.contains("finished at step 6"), "byte \(byte): \(output)")
        #expect(try place.inspect("run").digest == digest, "byte \(byte)")
      }
    }
  }

  @Test func `settings that were cut off are those of the checkpoint`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(train("training.steps=4", "evaluation.every=2"))
      let (before, bytes) = (try place.inspect("run"), try readBytes(place("run/config.yaml")))
      let text = String(decoding: bytes, as: UTF8.self)
      let hidden = try #require(text.firstRange(of: "hidden: 128")).upperBound
      let withinValue = text[..<text.index(hidden, offsetBy: -2)]
      for rest: Substring in [withinValue, text[...hidden], text.dropLast(30), ""] {
        try place.write("run/config.yaml", String(rest))
        let output = try place.output(["train", "--run", "run"])
        #expect(
          output.contains(
            "warning: run/config.yaml is cut off: it is written anew, with the settings of "
              + "run/checkpoints/step-00000004.h5"), "\(rest.count): \(output)")
        #expect(output.contains("finished at step 4"))
        #expect(try readBytes(place("run/config.yaml")) == bytes)
        #expect(try place.inspect("run") == before)
      }
      unlink(place("run/config.yaml"))
      #expect(try place.output(["train", "--run", "run"]).contains("warning: run/config.yaml is missing: "))
      #expect(try readBytes(place("run/config.yaml")) == bytes)

      mkdir(place("new"), 0o755)
      try place.write("new/config.yaml", String(withinValue))
      expectRefusal(
        try place.seqtrain(["train", "--run", "new"]),
        ["new/config.yaml is cut off, and there is no checkpoint that holds the settings: remove it"])
    }
  }
}
