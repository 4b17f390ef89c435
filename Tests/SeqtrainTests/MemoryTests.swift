import Glibc
import TestSupport
import Testing

/// What jobs take of memory, and hosts that have less.
@Suite(.serialized) struct MemoryTests {
  private let settings = set([
    "data.path=tales.h5", "model.hidden=64", "model.embedding=16", "training.lanes=8", "training.chunk=16",
    "training.steps=2", "training.shards=2",
  ])

  @Test func `a training says what it takes before its first step`() throws {
    try Workspace.with { place in
      try place.makeTales()
      for ranks in [1, 2] {
        let output = try place.output(ranks: ranks, ["train", "--run", "run-\(ranks)"] + settings)
        let shared = ranks == 1 ? "" : #", [\d.]+ MB shared a host"#
        let line = try Regex(#"memory: [\d.]+ MB a rank\#(shared); checkpoints: 4 x ([\d.]+) MB\n"#)
        let match = try #require(try line.firstMatch(in: output), "\(output)")
        let said = try #require(Double(match.output[1].substring ?? ""))
        let checkpoint = try readBytes(place("run-\(ranks)/checkpoints/step-00000002.h5")).count
        #expect(abs(said - Double(checkpoint) / 1e6) < 0.15, "\(said) MB for \(checkpoint) bytes")
      }
    }
  }

  @Test func `a rank of some blocks of time steps takes memory for these alone`() throws {
    try Workspace.with { place in
      try writeBytes((0..<200_000).map { UInt8(97 + $0 * $0 % 23) }, to: place("long.txt"))
      try place.output([
        "data", "import", "text", "long.txt", "--output", "long.h5", "--level", "byte", "--streams", "whole",
        "--split", "0.8,0.1,0.1",
      ])
      let long = set([
        "data.path=long.h5", "model.cell=[mingru, conv]", "model.hidden=64", "model.embedding=64",
        "training.lanes=1", "training.shards=1", "training.chunk=131072", "training.time_blocks=8",
        "training.steps=1",
      ])
      let said = try [1, 8].map { ranks in
        let output = try place.output(ranks: ranks, ["train", "--run", "run-\(ranks)"] + long)
        let match = try #require(output.firstMatch(of: #/memory: ([\d.]+) (MB|GB) a rank/#), "\(output)")
        return try #require(Double(match.1)) * (match.2 == "GB" ? 1000 : 1)
      }
      #expect(said[1] < said[0] / 4, "\(said) MB")
      #expect(try place.inspect("run-8") == place.inspect("run-1"))
    }
  }

  @Test func `what can't fit is refused before anything is written, with what would fit`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let wide = settings + set(["model.hidden=60000"])
      let result = try place.seqtrain(ranks: 2, ["train", "--run", "run"] + wide)
      expectRefusal(
        result,
        [
          " available (", "), but the job takes ", " more there (2 ranks of ",
          "it would fit with model.hidden=",
        ])
      #expect(try place.entries == ["tales.h5"])
      expectRefusal(
        try place.seqtrain(ranks: 2, ["bench", "--hidden", "60000"]), ["it would fit with model.hidden="])
    }
  }

  @Test func `a limit of the process is told`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let large = settings + set(["model.hidden=4000"])
      let result = try runProcess(
        "bash",
        [
          "-c", "ulimit -v 1000000; exec \"$@\"", "bash", try builtProgram("seqtrain"), "train", "--run",
          "run",
        ] + large,
        directory: place.path)
      expectRefusal(result, ["the system grants a process ", "(ulimit -v), but a rank takes "])
      #expect(try place.entries == ["tales.h5"])
    }
  }

  @Test func `streams too long to be predicted at once are told`() throws {
    try Workspace.with { place in
      for (name, length) in [("short.h5", 10), ("long.h5", 200_000)] {
        try place.output([
          "data", "generate", "tagged", "--output", name, "--streams", "20", "--length", "\(length)",
        ])
      }
      try place.output(
        ["train", "--run", "run"]
          + set(["data.path=short.h5", "model.bidirectional=true", "training.steps=2", "training.lanes=4"]))
      let command = ["predict", "run", "--data", "long.h5", "--output", "long.csv"]
      let result = try runProcess(
        "bash", ["-c", "ulimit -v 2000000; exec \"$@\"", "bash", try builtProgram("seqtrain")] + command,
        directory: place.path)
      expectRefusal(
        result, ["long.h5: passes over its streams take ", " are available (", "; cut the streams"])
      #expect(try !place.entries.contains("long.csv"))
    }
  }

  /// Lower limits keep the program itself from being loaded; below the highest one here, Open MPI ended by signals.
  @Test(arguments: [
    ("-v", 110_000), ("-v", 140_000), ("-v", 180_000), ("-v", 220_000), ("-d", 50_000), ("-d", 60_000),
  ])
  func `a limit below what MPI takes to start is told`(_ option: String, _ kibibytes: Int) throws {
    try Workspace.with { place in
      try place.makeTales()
      let script = "ulimit \(option) \(kibibytes); exec \"$@\""
      let command = ["bash", "-c", script, "bash", try builtProgram("seqtrain"), "train", "--run", "run"]
      let ranks = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"]
      for launcher in [[], ranks] {
        let words = launcher + command + settings
        let result = try runProcess(words[0], Array(words.dropFirst()), directory: place.path)
        expectRefusal(result, ["(ulimit \(option)), but Open MPI and HDF5 alone take up to "])
      }
      #expect(try place.entries == ["tales.h5"])
    }
  }

  @Test(arguments: [("-v", 260_000), ("-d", 130_000)])
  func `a limit that leaves a job enough changes nothing`(_ option: String, _ kibibytes: Int) throws {
    try Workspace.with { place in
      try place.makeTales()
      let script = "ulimit \(option) \(kibibytes); exec \"$@\""
      let result = try runProcess(
        "mpirun",
        [
          "--allow-run-as-root", "--oversubscribe", "-n", "2", "bash", "-c", script, "bash",
          try builtProgram("seqtrain"), "train", "--run", "run",
        ] + settings, directory: place.path)
      #expect(result.status == 0, "\(result)")
    }
  }

  @Test func `memory that the system refuses all the same ends with a message`() throws {
    let result = try runProcess(try builtProgram("MultiRank"), ["refused-memory"])
    #expect(result.status == 1, "\(result)")
    #expect(result.errors.contains("seqtrain: error: the system refused 4503599627370496 bytes"), "\(result)")
  }

  /// Runs a script where `disk` is a file system of so many MiB.
  private func onSmallDisk(_ place: Workspace, mebibytes: Int, _ script: String, _ arguments: [String]) throws
    -> ProcessResult
  {
    mkdir(place("disk"), 0o755)
    let mount = "mount -t tmpfs -o size=\(mebibytes)m none disk; \(script)"
    return try runProcess(
      "unshare", ["--mount", "bash", "-c", mount, "bash"] + arguments,
      environment: [
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_osc_sm_backing_directory": place("disk"), "OMPI_MCA_odls_base_sigkill_timeout": "0",
      ], directory: place.path)
  }

  @Test(mounts) func `shared memory that is full is noticed when it is taken`() throws {
    try Workspace.with { place in
      let script = #"exec "$@" disk/file"#
      let program = try builtProgram("MultiRank")
      let result = try onSmallDisk(place, mebibytes: 1, script, [program, "refused-pages"])
      #expect(result.status == 0, "\(result)")
    }
  }

  /// Each of them alone would fit.
  @Test(mounts) func `of two jobs that need more shared memory than there is, the second is told`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let script = """
        job="mpirun -n 2 --oversubscribe --bind-to none"
        $job "$@" --run first --set training.steps=1000000 >first.log 2>&1 &
        until grep -q memory: first.log || ! kill -0 $!; do sleep 0.1; done
        status=0
        $job "$@" --run second --set training.steps=1 || status=$?
        kill -USR1 $!
        wait $!
        [ $? = 3 ] || cat first.log
        $job "$@" --run third --set training.steps=1 >third.log || exit 4
        exit $status
        """
      let command = [try builtProgram("seqtrain"), "train"] + settings + set(["model.hidden=512"])
      let result = try onSmallDisk(place, mebibytes: 80, script, command)
      expectRefusal(
        result,
        [
          "of shared memory in \(place("disk")), which has ", " left (see `df \(place("disk"))`)",
          "--shm-size",
        ])
      #expect(result.output == "", "\(result)")
    }
  }

  @Test(mounts) func `a disk that takes no checkpoint, or not all, is told before the first step`() throws {
    try Workspace.with { place in
      try place.makeTales()
      let command = [try builtProgram("seqtrain"), "train", "--run", "disk/run"] + settings
      let large = command + set(["model.hidden=256", "training.shards=1"])
      let refused = try onSmallDisk(place, mebibytes: 2, #""$@"; s=$?; ls disk >&2; exit $s"#, large)
      expectRefusal(
        refused,
        ["the disk of disk has 2.1 MB left, but a checkpoint takes ", "choose another directory with --run"])
      #expect(!refused.errors.contains("\nrun\n"), "\(refused)")
      let warned = try onSmallDisk(place, mebibytes: 24, #"exec "$@""#, large)
      #expect(warned.status == 0, "\(warned)")
      #expect(
        warned.errors.contains("or lower checkpoint.keep")
          || warned.output.contains("or lower checkpoint.keep"),
        "\(warned)")
    }
  }
}
