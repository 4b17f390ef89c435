import Glibc
import Settings
import TestSupport
import Testing
import Training

@Suite struct RunDirectoryTests {
  @Test(arguments: [
    (nil, "runs/default"), ("small.yaml", "runs/small"), ("a.b/deep/words.v2.yml", "runs/words.v2"),
    ("plain", "runs/plain"),
    (".hidden", "runs/.hidden"),
  ])
  func `a run is named after its configuration`(_ configuration: String?, _ expected: String) {
    #expect(RunDirectory.defaultPath(configuration: configuration) == expected)
  }

  @Test func `opening makes what is missing and keeps the settings`() throws {
    try withTemporaryDirectory { base in
      var configuration = try Configuration().resolved(ranks: 2)
      do {
        let run = RunDirectory("\(base)/a/b/run/")
        #expect(run.path == "\(base)/a/b/run")
        #expect(try run.savedSettings() == .missing)
        #expect(try run.open(fresh: true) == nil)
        try run.save(configuration, replacing: .missing)
      }
      #expect(try directoryEntries("\(base)/a/b/run") == ["checkpoints", "config.yaml", "lock"])
      let again = RunDirectory("\(base)/a/b/run")
      let saved = try again.savedSettings()
      #expect(saved == .whole(configuration, keys: Configuration.settings.keys))
      configuration.training.steps += 1
      _ = try again.open(fresh: false)
      try again.save(configuration, replacing: saved)
      #expect(try again.savedSettings() == .whole(configuration, keys: Configuration.settings.keys))
    }
  }

  @Test func `a second job is refused by name of the first`() throws {
    try withTemporaryDirectory { base in
      let first = RunDirectory(base)
      _ = try first.open(fresh: false)
      let found = withExtendedLifetime(first) {
        message { try RunDirectory(base).open(fresh: false) }
      }
      #expect(found.hasPrefix("\(base) is in use by process \(getpid()) on "))
      #expect(found.contains("kill -USR1 \(getpid())"))
    }
  }

  @Test func `a holder elsewhere is named with what to do`() throws {
    try withTemporaryDirectory { base in
      let first = RunDirectory(base)
      _ = try first.open(fresh: false)
      try writeBytes("elsewhere 12\n".utf8, to: "\(base)/lock")
      let found = withExtendedLifetime(first) {
        message { try RunDirectory(base).open(fresh: false) }
      }
      #expect(
        found == "\(base) is in use by process 12 on elsewhere; wait for it or stop it there, "
          + "and if that host is gone for good, remove \(base)/lock")
    }
  }

  @Test func `the lock is free when its holder is gone`() throws {
    try withTemporaryDirectory { base in
      do { _ = try RunDirectory(base).open(fresh: false) }
      #expect(try RunDirectory(base).open(fresh: false) == nil)
    }
  }

  @Test func `fresh needs an empty directory and writes nothing elsewhere`() throws {
    try withTemporaryDirectory { base in
      try writeBytes("mine".utf8, to: "\(base)/notes")
      let found = message { try RunDirectory(base).open(fresh: true) }
      #expect(found.hasPrefix("--fresh: \(base) is not empty (notes)"))
      #expect(try directoryEntries(base) == ["notes"])
    }
  }

  @Test func `settings changed by another job meanwhile are noticed`() throws {
    try withTemporaryDirectory { base in
      let configuration = try Configuration().resolved(ranks: 1)
      try RunDirectory(base).save(configuration, replacing: .missing)
      let found = message { try RunDirectory(base).save(configuration, replacing: .missing) }
      #expect(found == "\(base) was changed by another job just now; give the command again")
    }
  }

  @Test func `checkpoints without settings are not overwritten`() throws {
    try withTemporaryDirectory { base in
      mkdir("\(base)/checkpoints", 0o755)
      try RunDirectory(base).requireNoCheckpoints()
      try writeBytes([], to: "\(base)/checkpoints/step")
      #expect(message { try RunDirectory(base).requireNoCheckpoints() }.contains("checkpoints is not empty"))
    }
  }

  /// Settings whose values are others, and in range, when they are cut short.
  private static let longValues: Configuration = {
    var configuration = Configuration()
    for setting in ["model.hidden=128", "evaluation.patience=12", "training.optimizer.no_decay=[]"] {
      try? configuration.set(setting)
    }
    return configuration
  }()

  /// Every truncation of what `text` says of these settings is either damage or harmless.
  private func checkTruncations(of text: String) throws {
    try withTemporaryDirectory { base in
      let run = RunDirectory(base)
      let bytes = Array(text.utf8)
      for length in bytes.indices {
        try writeBytes(bytes[..<length], to: run.configurationPath)
        let saved = try run.savedSettings()
        #expect(
          saved.damage(expecting: Configuration.settings.keys) != nil
            || saved.configuration == Self.longValues,
          "\(length) of \(bytes.count) bytes: \(saved)")
      }
      try writeBytes(bytes, to: run.configurationPath)
      #expect(try run.savedSettings() == .whole(Self.longValues, keys: Configuration.settings.keys))
    }
  }

  @Test func `a truncated file of settings is known as damaged`() throws {
    try withTemporaryDirectory { base in
      let run = RunDirectory(base)
      try run.save(Self.longValues, replacing: .missing)
      try checkTruncations(of: String(decoding: readBytes(run.configurationPath), as: UTF8.self))
    }
  }

  @Test func `so is one of an earlier version, which had no last line`() throws {
    try checkTruncations(of: Self.longValues.yaml)
  }

  @Test func `settings edited by hand are read`() throws {
    try withTemporaryDirectory { base in
      let run = RunDirectory(base)
      try run.save(Self.longValues, replacing: .missing)
      let text = String(decoding: try readBytes(run.configurationPath), as: UTF8.self)
      let edited = text.replacing("hidden: 128", with: "hidden: 64 # smaller")
      for variant in [
        edited, String(edited.dropLast()), edited.replacing("\n", with: "\r\n"), edited + "# mine\n",
      ] {
        try writeBytes(variant.utf8, to: run.configurationPath)
        #expect(try run.savedSettings().configuration?.model.hidden == 64)
        #expect(try run.savedSettings().damage(expecting: Configuration.settings.keys) == nil)
      }
      try writeBytes(edited.replacing("  hidden:", with: "  hiden:").utf8, to: run.configurationPath)
      #expect(message { try run.savedSettings() }.contains("hiden is not a setting"))
      let shorter = edited.split(separator: "\n").filter { !$0.contains("lanes:") && !$0.contains("chunk:") }
      try writeBytes(shorter.joined(separator: "\n").utf8, to: run.configurationPath)
      #expect(
        try run.savedSettings().damage(expecting: Configuration.settings.keys)
          == "lacks training.chunk and 1 other setting")
      // Settings that came later than the run are not missed.
      #expect(try run.savedSettings().damage(expecting: ["training.steps"]) == nil)
      // The same file given as any other is known to be cut off, too.
      try writeBytes(Array(text.utf8).prefix(500), to: run.configurationPath)
      #expect(message { try Configuration(path: run.configurationPath) }.contains("cut off"))
    }
  }

  @Test func `a path that cannot be a directory is named`() throws {
    try withTemporaryDirectory { base in
      try writeBytes([], to: "\(base)/file")
      #expect(
        message { try RunDirectory("\(base)/file/run").open(fresh: false) }
          == "\(base)/file/run: can't make a directory: Not a directory; choose another directory with --run")
      #expect(
        message { try RunDirectory("/proc/run").open(fresh: false) }
          == "/proc/run: can't make a directory: No such file or directory; choose another directory with --run"
      )
    }
  }
}
