import Glibc
import TestSupport
import Testing

/// Disks that take no more, or nothing.
@Suite(.serialized) struct DiskTests {
  private let settings = set([
    "data.path=tales.h5", "model.hidden=64", "model.embedding=16", "training.lanes=8", "training.chunk=16",
    "training.steps=6", "checkpoint.every=2", "evaluation.every=0", "checkpoint.keep=3",
  ])

  /// Runs the program with a small file system of its own as `disk`, of which so many KiB are left when `fill` has been
  /// written there. Where there may be no such thing, files may not grow larger than what is left.
  private func onSmallDisk(_ place: Workspace, kibibytes: Int, _ arguments: [String]) throws -> ProcessResult
  {
    let script =
      """
      if unshare --mount true 2>/dev/null; then
        exec unshare --mount bash -c 'mount --make-rprivate / && cp -a disk copy && mount -t tmpfs -o size=8m disk disk &&
          cp -a copy/. disk && rm -r copy && room=$(($(df --output=avail disk | tail -n 1) - '$0')) &&
          head -c "${room}K" /dev/zero >disk/fill && "$@"; status=$?; rm -f disk/fill; cp -a disk/. saved; exit $status' bash "$@"
      fi
      ulimit -f "$0"; trap "" XFSZ; "$@"; status=$?; cp -a disk/. saved; exit $status
      """
    mkdir(place("disk"), 0o755)
    mkdir(place("saved"), 0o755)
    return try runProcess(
      "bash", ["-c", script, "\(kibibytes)", try builtProgram("seqtrain")] + arguments, directory: place.path)
  }

  @Test func `a full disk commits nothing, and what was there still loads`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "disk/run"] + settings + set(["training.steps=2"]))
      let before = try place.inspect("disk/run")
      let names = try directoryEntries(place("disk/run/checkpoints"))
      // There is room for metrics, but not for another checkpoint of some 0.7 MB.
      let result = try onSmallDisk(place, kibibytes: 300, ["train", "--run", "disk/run"] + settings)
      expectRefusal(
        result,
        [
          "disk/run/checkpoints/step-00000004.h5: there is no room for the file; make some, and give the command again"
        ])
      #expect(try directoryEntries(place("saved/run/checkpoints")) == names)
      #expect(try place.inspect("saved/run") == before)

      // With room again, it goes on as if nothing had been.
      try place.output(["train", "--run", "whole"] + settings)
      try place.output(ranks: 1, ["train", "--run", "saved/run"] + settings)
      #expect(try place.inspect("saved/run") == place.inspect("whole"))
    }
  }

  @Test func `a dataset or an evaluation that does not fit is not made`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run"] + settings)
      for arguments in [
        ["data", "generate", "grammar", "--characters", "500000", "--output", "disk/x.h5"],
        ["eval", "run", "--data", "tales.h5", "--split", "train", "--output", "disk/x.h5", "--states"],
      ] {
        let result = try onSmallDisk(place, kibibytes: 100, arguments)
        expectRefusal(result, ["disk/x.h5: "])
        #expect(
          result.errors.contains("no room") || result.errors.contains("is the disk full?"), "\(result)")
        #expect(try directoryEntries(place("saved")) == [])
      }
    }
  }

  /// Root may write where others may not, so the directory is on a file system that is mounted to be read only; where
  /// that can't be had, it would lie below a file.
  @Test func `a place that can't be written to is named`() throws {
    try Workspace.with { place in
      try place.makeTales()
      mkdir(place("disk"), 0o755)
      try place.output(["train", "--run", "disk/run"] + settings)
      let before = try place.inspect("disk/run")
      let script = "mount --bind disk disk && mount -o remount,bind,ro disk && exec \"$@\""
      let canMount = try runProcess("unshare", ["--mount", "true"]).status == 0
      func run(_ arguments: [String]) throws -> ProcessResult {
        let program = try builtProgram("seqtrain")
        guard canMount else { return try runProcess(program, arguments, directory: place.path) }
        return try runProcess(
          "unshare", ["--mount", "bash", "-c", script, "bash", program] + arguments, directory: place.path)
      }
      let (directory, reason) = canMount ? ("disk", "Read-only file system") : ("tales.h5", "Not a directory")
      expectRefusal(
        try run(["train", "--run", "\(directory)/other"] + settings),
        ["\(directory)/other: can't make a directory: \(reason); choose another directory with --run"])
      if canMount {
        expectRefusal(
          try run(["train", "--run", "disk/run"] + settings + set(["training.steps=8"])),
          ["disk/run/lock: can't open: \(reason); choose another directory with --run"])
      }
      expectRefusal(
        try run(["eval", "disk/run", "--output", "\(directory)/e.h5"]), ["\(directory)/e.h5: ", reason])
      expectRefusal(
        try run(["data", "generate", "grammar", "--output", "\(directory)/d.h5"]),
        ["\(directory)/d.h5: ", reason])
      #expect(try place.inspect("disk/run") == before)
      #expect(try directoryEntries(place("disk")) == ["run"])
    }
  }
}
