import Glibc
import TestSupport
import Testing

/// A command that is given again in the directory of a run.
@Suite(.serialized) struct ResumeTests {
  private let settings = [
    "data.path=tales.h5", "model.hidden=16", "model.embedding=8", "training.lanes=8", "training.chunk=16",
    "training.shards=4", "training.steps=4", "evaluation.every=2",
  ]

  private func command(_ changes: String...) -> [String] {
    ["train", "--run", "run"] + set(settings + changes)
  }

  /// Lends a finished run.
  private func withRun(_ body: (Workspace) throws -> Void) throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(command())
      try body(place)
    }
  }

  @Test func `a finished run says so, and how to extend it`() throws {
    try withRun { place in
      let before = try place.inspect("run")
      let again = try place.output(ranks: 3, command())
      #expect(
        again.contains(
          "the run is finished at step 4; to extend it, set training.steps or training.epochs higher"))
      // Without settings, those of the run.
      #expect(try place.output(ranks: 2, ["train", "--run", "run"]).contains("finished at step 4"))
      #expect(try place.inspect("run") == before)
    }
  }

  @Test func `what may change does, and is told with both values`() throws {
    try withRun { place in
      let changes = [
        ("training.steps", "4", "6"), ("training.optimizer.learning_rate", "0.002", "0.001"),
        ("training.schedule.name", "constant", "cosine"), ("training.log_every", "10", "1"),
        ("checkpoint.every", "200", "1"), ("checkpoint.keep", "2", "3"), ("evaluation.every", "2", "3"),
      ]
      let output = try place.output(
        ranks: 4, ["train", "--run", "run"] + set(changes.map { "\($0.0)=\($0.2)" }))
      for (key, before, now) in changes { #expect(output.contains("\(key) was \(before), now \(now)\n")) }
      #expect(output.contains("resumed at step 4\n") && output.contains("finished at step 6"))
      #expect(
        try directoryEntries(place("run/checkpoints")).filter { $0.hasSuffix(".h5") && $0 != "best.h5" }.count
          == 3)
      // They are the run's settings from now on.
      let saved = String(decoding: try readBytes(place("run/config.yaml")), as: UTF8.self)
      #expect(saved.contains("learning_rate: 0.001"))
    }
  }

  @Test(arguments: [
    (["model.hidden=17", "training.seed=7"], ["model.hidden was 16, now 17", "training.seed was 1, now 7"]),
    (
      ["training.lanes=16", "model.cell=gru"],
      ["model.cell was lstm, now gru", "training.lanes was 8, now 16"]
    ),
    (["training.shards=8"], ["training.shards was 4, now 8"]),
    (["training.precision=bfloat16"], ["training.precision was float32, now bfloat16"]),
  ])
  func `what may not change is refused with both values`(_ changes: [String], _ expected: [String]) throws {
    try withRun { place in
      let (before, saved) = (try place.inspect("run"), try readBytes(place("run/config.yaml")))
      let result = try place.seqtrain(
        ranks: 2, command() + set(changes + ["training.steps=8"]))
      expectRefusal(
        result,
        [
          "run: the run has begun with other settings: ",
          "set them back, or choose another directory with --run",
        ]
          + expected)
      #expect(!result.errors.contains("training.steps was"))
      #expect(try place.inspect("run") == before)
      #expect(try readBytes(place("run/config.yaml")) == saved)
    }
  }

  @Test func `a run is not ended before the step where it is`() throws {
    try withRun { place in
      let saved = try readBytes(place("run/config.yaml"))
      expectRefusal(
        try place.seqtrain(ranks: 2, command("training.steps=3")),
        ["run: training.steps 3 would end it before step 4, where it is; set training.steps higher to go on"])
      #expect(try readBytes(place("run/config.yaml")) == saved)
    }
  }

  private struct Row: Decodable { let kind: String, step: Int, loss: Double, seconds: Double, time: String }

  private func rows(_ place: Workspace, _ run: String) throws -> [Row] {
    try String(decoding: readBytes(place("\(run)/metrics.jsonl")), as: UTF8.self).split(separator: "\n")
      .map { try decode(Row.self, String($0)) }.filter { $0.kind == "train" }
  }

  /// Contiguous steps have equally many targets.
  @Test func `metrics are means since the row before, to the end of a run that is extended later too`() throws
  {
    try Workspace.with { place in
      try place.makeTales()
      let settings = settings + ["training.steps=23", "training.log_every=7", "data.mode=contiguous"]
      func train(_ run: String, _ changes: String...) throws {
        try place.output(["train", "--run", run] + set(settings + changes))
      }
      try train("whole")
      try train("parts", "training.steps=10")
      let before = try rows(place, "parts")
      try train("parts")
      try train("steps", "training.log_every=1")
      let (whole, parts, steps) = try (rows(place, "whole"), rows(place, "parts"), rows(place, "steps"))
      #expect(whole.map(\.step) == [7, 14, 21, 23] && parts.map(\.step) == [7, 10, 14, 21, 23])
      for rows in [whole, parts] {
        for (first, row) in zip([0] + rows.map(\.step), rows) {
          let mean = steps[first..<row.step].reduce(0) { $0 + $1.loss } / Double(row.step - first)
          #expect(abs(row.loss - mean) < 1e-9 * mean)
        }
      }
      // Seconds go on.
      #expect(before.count == 2 && parts[0].seconds == before[0].seconds)
      #expect(parts[0].seconds < parts[1].seconds && parts[1].seconds < parts[2].seconds)
      #expect(parts.allSatisfy { $0.time.wholeMatch(of: /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil })
    }
  }

  @Test func `all may change until there is a checkpoint`() throws {
    try Workspace.with { place in
      // On a text of its own, which is made in the directory.
      expectRefusal(
        try place.seqtrain(["train", "--run", "run", "--set", "training.lanes=300000"]),
        ["split train: ", "take at most "])
      let settings = ["model.hidden=8", "training.lanes=8", "training.steps=2", "evaluation.every=0"]
      let output = try place.output(["train", "--run", "run"] + set(settings))
      #expect(output.contains("finished at step 2"))
      expectRefusal(
        try place.seqtrain(["train", "--run", "run"] + set(settings + ["training.lanes=4"])),
        ["training.lanes was 8, now 4"])
    }
  }

  @Test func `settings that were changed by hand are refused too`() throws {
    try withRun { place in
      let saved = String(decoding: try readBytes(place("run/config.yaml")), as: UTF8.self)
      try place.write("run/config.yaml", saved.replacing("  beta1: 0.9\n", with: "  beta1: 0.5\n"))
      expectRefusal(
        try place.seqtrain(ranks: 2, ["train", "--run", "run", "--set", "training.steps=8"]),
        ["run: the run has begun with other settings: training.optimizer.beta1 was 0.9, now 0.5"])
      let repair = ["training.steps=8", "training.optimizer.beta1=0.9"]
      try place.output(ranks: 2, ["train", "--run", "run"] + set(repair))
    }
  }

  @Test func `more ranks than the run has shards are refused`() throws {
    try withRun { place in
      expectRefusal(
        try place.seqtrain(ranks: 5, command("training.steps=8")),
        ["run: 5 ranks for training.shards 4: each rank needs a shard; start at most 4 ranks"])
    }
  }

  @Test func `other data than the run began with are refused`() throws {
    try withRun { place in
      try place.makeTales("other.h5", seed: 2)
      let fingerprint = try decode(Info.self, try place.output(["data", "info", "tales.h5", "--json"]))
        .fingerprint
      let changed = try place.seqtrain(ranks: 2, command("training.steps=8", "data.path=other.h5"))
      expectRefusal(
        changed,
        [
          "other.h5: its fingerprint is ", "the run was trained on \(fingerprint)",
          "begin another run with --run",
        ])
      // The same under another name is the same.
      rename(place("tales.h5"), place("moved.h5"))
      let moved = try place.output(ranks: 2, command("training.steps=8", "data.path=moved.h5"))
      #expect(moved.contains("data.path was \"tales.h5\", now \"moved.h5\""))
    }
  }

  private struct Info: Decodable { let fingerprint: String }

  @Test func `beginning afresh needs an empty directory`() throws {
    try withRun { place in
      let before = try place.inspect("run")
      expectRefusal(
        try place.seqtrain(ranks: 2, command() + ["--fresh"]),
        ["--fresh: run is not empty (checkpoints, config.yaml, ", "rm -r run"])
      #expect(try place.inspect("run") == before)

      // Nor does it touch what is not a run's.
      mkdir(place("mine"), 0o755)
      try place.write("mine/notes", "important")
      let fresh = ["train", "--run", "mine", "--fresh"] + set(settings)
      expectRefusal(try place.seqtrain(ranks: 2, fresh), ["--fresh: mine is not empty (notes)"])
      #expect(try directoryEntries(place("mine")) == ["notes"])
      unlink(place("mine/notes"))
      try place.output(ranks: 2, fresh)
      #expect(try place.inspect("mine") == before)
    }
  }

  /// Otherwise a checkpoint that has been deleted would still take its room on the disk.
  @Test func `a run that has been resumed holds no checkpoint open`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(Workspace.slowCommand("run", steps: 2))
      let job = try place.start(ranks: 2, Workspace.slowCommand("run", ["evaluation.every=0"]))
      try #require(job.wait { place.lastStep("run") > 2 })
      let holder = try #require(try job.ranks().first)
      let open = try directoryEntries("/proc/\(holder)/fd").map { name in
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(holder)/fd/\(name)", &target, target.count)
        return String(decoding: target.prefix(max(0, count)), as: UTF8.self)
      }
      #expect(open.contains { $0.hasSuffix("/tales.h5") })
      #expect(!open.contains { $0.contains("/checkpoints/") }, "\(open)")
      kill(holder, SIGUSR1)
      #expect(try job.wait().status == 3)
    }
  }

  @Test func `a second job in the directory is refused while the first runs`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let command = Workspace.slowCommand("run")
      let first = try place.start(ranks: 2, command)
      try #require(first.wait { place.lastStep("run") > 0 })
      let holder = try #require(try first.ranks().first)
      let step = place.lastStep("run")
      expectRefusal(
        try place.seqtrain(ranks: 2, command),
        [
          "run is in use by process \(holder) on ",
          "wait for it, stop it with kill -USR1 \(holder), or choose",
        ])
      // It goes on unharmed, and what the message advises works.
      #expect(first.wait { place.lastStep("run") > step })
      kill(holder, SIGUSR1)
      #expect(try first.wait().status == 3)
      #expect(try place.inspect("run").step > step)
    }
  }
}
