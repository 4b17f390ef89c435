import Glibc
import TestSupport
import Testing

/// Disks that take no more, or nothing.
@Suite(.serialized) struct DiskTests {
  private let settings = set([
    "data.path=tales.h5", "model.hidden=64", "model.embedding=16", "training.lanes=8", "training.chunk=16",
    "training.steps=6", "checkpoint.every=2", "evaluation.every=0", "checkpoint.keep=3",
  ])

  /// Runs the program where `disk`, a small file system with its former content, has so many KiB left, and copies to
  /// `saved` what lies there afterwards.
  private func onFullDisk(_ place: Workspace, kibibytes: Int, _ arguments: [String]) throws -> ProcessResult {
    let script = """
      set -e
      cp -a disk copy
      mount -t tmpfs -o size=8m none disk
      cp -a copy/. disk && rm -r copy
      room=$(df --output=avail disk | tail -n 1)
      head -c "$((room - $0))K" /dev/zero >disk/fill
      status=0
      "$@" || status=$?
      rm disk/fill
      cp -a disk/. saved
      exit "$status"
      """
    mkdir(place("disk"), 0o755)
    mkdir(place("saved"), 0o755)
    return try runProcess(
      "unshare",
      ["--mount", "bash", "-c", script, "\(kibibytes)", try builtProgram("seqtrain")] + arguments,
      directory: place.path)
  }

  /// Runs the program where no file may become larger than so many KiB.
  private func withSmallFiles(_ place: Workspace, kibibytes: Int, _ arguments: [String]) throws
    -> ProcessResult
  {
    try runProcess(
      "bash",
      ["-c", "ulimit -f \(kibibytes); exec \"$@\"", "bash", try builtProgram("seqtrain")] + arguments,
      directory: place.path)
  }

  @Test(mounts) func `a full disk commits nothing, and what was there still loads`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "disk/run"] + settings + set(["training.steps=2"]))
      let names = try directoryEntries(place("disk/run/checkpoints"))
      let command = ["train", "--run", "disk/run"] + settings
      // There is room for one checkpoint more, of some 0.7 MB.
      expectRefusal(
        try onFullDisk(place, kibibytes: 1000, command),
        [
          "disk/run/checkpoints/step-00000006.h5: there is no room for the file; make some, and give the command again"
        ])
      let added = ["step-00000004.h5", "step-00000004.json"]
      #expect(try directoryEntries(place("saved/run/checkpoints")) == (names + added).sorted())
      #expect(try place.inspect("saved/run").step == 4)
      expectRefusal(
        try onFullDisk(place, kibibytes: 300, command),
        ["disk/run/checkpoints has 0.3 MB left, but a checkpoint takes 0.7 MB; make room, or choose another"])
      try expectToGoOn(place, "saved/run")
    }
  }

  /// With room again, a run goes on as if nothing had been.
  private func expectToGoOn(_ place: Workspace, _ run: String) throws {
    try place.output(["train", "--run", "whole"] + settings)
    try place.output(ranks: 1, ["train", "--run", run] + settings)
    #expect(try place.inspect(run) == place.inspect("whole"))
  }

  @Test func `a checkpoint larger than files may be is refused, and the one before still loads`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run"] + settings + set(["training.steps=2"]))
      let names = try directoryEntries(place("run/checkpoints"))
      expectRefusal(
        try withSmallFiles(place, kibibytes: 300, ["train", "--run", "run"] + settings),
        ["run/checkpoints/step-00000004.h5: there is no room for the file; make some, and give the command"])
      #expect(try directoryEntries(place("run/checkpoints")) == names)
      try expectToGoOn(place, "run")
    }
  }

  /// The commands that make a file `disk/x.h5` of more than 100 KiB.
  private static let makers = [
    ["data", "generate", "grammar", "--characters", "500000", "--output", "disk/x.h5"],
    ["eval", "run", "--data", "tales.h5", "--split", "train", "--output", "disk/x.h5", "--states"],
  ]

  @Test(mounts, arguments: makers)
  func `a dataset or an evaluation that does not fit on the disk is not made`(_ maker: [String]) throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run"] + settings)
      let result = try onFullDisk(place, kibibytes: 100, maker)
      expectRefusal(result, ["disk/x.h5: "])
      #expect(result.errors.contains("no room") || result.errors.contains("is the disk full?"), "\(result)")
      #expect(try directoryEntries(place("saved")) == [])
    }
  }

  @Test(arguments: makers)
  func `a dataset or an evaluation larger than files may be is not made`(_ maker: [String]) throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run"] + settings)
      mkdir(place("disk"), 0o755)
      let result = try withSmallFiles(place, kibibytes: 100, maker)
      expectRefusal(result, ["disk/x.h5: "])
      #expect(result.errors.contains("no room") || result.errors.contains("is the disk full?"), "\(result)")
      #expect(try directoryEntries(place("disk")) == [])
    }
  }

  /// Files may not become larger than one that is there already, which lets a checkpoint be written but no row.
  @Test func `metrics that can't be written stop the whole job, with a checkpoint`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let command =
        ["train", "--run", "run"] + settings + set(["training.log_every=1", "training.shards=2"])
      try place.output(command + set(["training.steps=1"]))
      let row = "{\"kind\":\"train\",\"step\":1,\"padding\":\""
      let end = "\"}\n"
      let padding = String(repeating: " ", count: (16 << 20) - row.utf8.count - end.utf8.count)
      try place.write("run/metrics.jsonl", row + padding + end)
      let script = "ulimit -f 16384; exec mpirun --allow-run-as-root --oversubscribe -n 2 \"$@\""
      let result = try runProcess(
        "bash", ["-c", script, "bash", try builtProgram("seqtrain")] + command, directory: place.path)
      expectRefusal(
        result, ["run/metrics.jsonl: can't write: File too large; make room, and give the command again"])
      #expect(!result.errors.contains("MPI_ABORT"), "\(result)")
      #expect(try place.inspect("run").step > 1)
    }
  }

  /// Root may write where others may not, so the directory is on a file system that is mounted to be read only.
  @Test(mounts) func `a place that can't be written to is named`() throws {
    try Workspace.with { place in
      try place.makeTales()
      mkdir(place("disk"), 0o755)
      try place.output(["train", "--run", "disk/run"] + settings)
      let before = try place.inspect("disk/run")
      let script = "mount --bind disk disk && mount -o remount,bind,ro disk && exec \"$@\""
      func run(_ arguments: [String]) throws -> ProcessResult {
        try runProcess(
          "unshare", ["--mount", "bash", "-c", script, "bash", try builtProgram("seqtrain")] + arguments,
          directory: place.path)
      }
      try expectNoPlace(in: "disk", "Read-only file system", run)
      expectRefusal(
        try run(["train", "--run", "disk/run"] + settings + set(["training.steps=8"])),
        ["disk/run/lock: can't open: Read-only file system; choose another directory with --run"])
      #expect(try place.inspect("disk/run") == before)
      #expect(try directoryEntries(place("disk")) == ["run"])
    }
  }

  @Test func `a place below a file is named`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "disk/run"] + settings)
      try expectNoPlace(in: "tales.h5", "Not a directory") { try place.seqtrain($0) }
    }
  }

  /// Expects that commands which would make something in a directory are refused for that reason.
  private func expectNoPlace(
    in directory: String, _ reason: String, _ run: ([String]) throws -> ProcessResult
  ) throws {
    expectRefusal(
      try run(["train", "--run", "\(directory)/other"] + settings),
      ["\(directory)/other: can't make a directory: \(reason); choose another directory with --run"])
    for (file, command) in [
      ("e.h5", ["eval", "disk/run"]), ("d.h5", ["data", "generate", "grammar"]),
      ("t.h5", ["data", "import", "text", "tales.h5"]),
    ] {
      expectRefusal(
        try run(command + ["--output", "\(directory)/\(file)"]),
        ["\(directory)/\(file): cannot be made: \(reason); choose another place for it"])
    }
  }
}
