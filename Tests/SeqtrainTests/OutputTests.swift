import Glibc
import TestSupport
import Testing

/// Standard outputs that take nothing, or not all.
@Suite(.serialized) struct OutputTests {
  private let settings = set([
    "data.path=tales.h5", "model.hidden=16", "model.embedding=8", "training.lanes=8", "training.chunk=16",
    "training.steps=4", "evaluation.every=0",
  ])

  private func run(_ place: Workspace, _ redirection: String, _ arguments: [String]) throws -> ProcessResult {
    let script = "set -o pipefail; \"$@\" \(redirection)"
    return try runProcess(
      "bash", ["-c", script, "bash", try builtProgram("seqtrain")] + arguments, directory: place.path)
  }

  @Test func `output that can't be written is a failure of every command`() throws {
    try Workspace.with { place in
      try place.makeTales()
      try place.output(["train", "--run", "run"] + settings)
      let commands = [
        ["--help"], ["--version"], ["help", "eval"], ["settings"], ["data", "info", "tales.h5"],
        ["inspect", "run"], ["eval", "run", "--json"], ["generate", "run", "--length", "5"],
        ["data", "generate", "grammar", "--characters", "20000", "--output", "new.h5"],
        ["bench", "--hidden", "8", "--embedding", "8", "--lanes", "2", "--chunk", "4", "--steps", "1"],
        ["train", "--run", "other"] + settings,
      ]
      for command in commands {
        expectRefusal(
          try run(place, ">/dev/full", command), ["standard output: can't write: No space left on device"])
        unlink(place("new.h5"))
        expectRefusal(try run(place, ">&-", command), ["standard output: can't write: Bad file descriptor"])
        unlink(place("new.h5"))
      }
      // Nothing was trained for nobody.
      #expect(try directoryEntries(place("other/checkpoints")) == [])
      // A closed output gave its number to no file.
      try place.output(["inspect", "run"])
      try place.output(["data", "info", "tales.h5"])
    }
  }

  @Test func `a reader may leave when it has seen enough`() throws {
    try Workspace.with { place in
      try place.makeTales()
      for command in [["settings"], ["--help"], ["train", "--run", "run"] + settings] {
        let result = try run(place, "| head -n 1 >head", command)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
      }
      #expect(try place.inspect("run").step == 4)
    }
  }

  /// The file takes the first lines, not those of 200 steps.
  @Test(mounts) func `a run whose output finds no more room trains to its end, and fails then`() throws {
    try Workspace.with { place in
      try place.makeTales()
      mkdir(place("disk"), 0o755)
      let script = "mount -t tmpfs -o size=4k none disk && exec \"$@\" >disk/output"
      let command =
        ["train", "--run", "run"] + settings + set(["training.steps=200", "training.log_every=1"])
      let result = try runProcess(
        "unshare", ["--mount", "bash", "-c", script, "bash", try builtProgram("seqtrain")] + command,
        directory: place.path)
      expectRefusal(result, ["standard output: can't write: No space left on device"])
      #expect(try place.inspect("run").step == 200)
      #expect(place.lastStep("run") == 200)
    }
  }
}
