import Glibc
import TestSupport
import Testing
import Training

@Suite struct RunDirectoryTests {
  @Test(arguments: [
    (nil, "runs/default"), ("small.yaml", "runs/small"), ("a.b/deep/words.v2.yml", "runs/words.v2"),
    ("plain", "runs/plain"),
    (".hidden", "runs/.hidden"),
  ])
  func aRunIsNamedAfterItsConfiguration(_ configuration: String?, _ expected: String) {
    #expect(RunDirectory.defaultPath(configuration: configuration) == expected)
  }

  @Test func openingMakesWhatIsMissingAndKeepsTheSettings() throws {
    try withTemporaryDirectory { base in
      var configuration = try Configuration().resolved(ranks: 2)
      do {
        let run = RunDirectory("\(base)/a/b/run/")
        #expect(run.path == "\(base)/a/b/run")
        #expect(try run.savedConfiguration() == nil)
        #expect(try run.open(fresh: true) == nil)
        try run.save(configuration, replacing: nil)
      }
      #expect(try directoryEntries("\(base)/a/b/run") == ["checkpoints", "config.yaml", "lock"])
      let again = RunDirectory("\(base)/a/b/run")
      let saved = try again.savedConfiguration()
      #expect(saved == configuration)
      configuration.training.steps += 1
      _ = try again.open(fresh: false)
      try again.save(configuration, replacing: saved)
      #expect(try again.savedConfiguration() == configuration)
    }
  }

  @Test func aSecondJobIsRefusedByNameOfTheFirst() throws {
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

  @Test func aHolderElsewhereIsNamedWithWhatToDo() throws {
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

  @Test func theLockIsFreeWhenItsHolderIsGone() throws {
    try withTemporaryDirectory { base in
      do { _ = try RunDirectory(base).open(fresh: false) }
      #expect(try RunDirectory(base).open(fresh: false) == nil)
    }
  }

  @Test func freshNeedsAnEmptyDirectoryAndWritesNothingElsewhere() throws {
    try withTemporaryDirectory { base in
      try writeBytes("mine".utf8, to: "\(base)/notes")
      let found = message { try RunDirectory(base).open(fresh: true) }
      #expect(found.hasPrefix("--fresh: \(base) is not empty (notes)"))
      #expect(try directoryEntries(base) == ["notes"])
    }
  }

  @Test func settingsChangedByAnotherJobMeanwhileAreNoticed() throws {
    try withTemporaryDirectory { base in
      let configuration = try Configuration().resolved(ranks: 1)
      try RunDirectory(base).save(configuration, replacing: nil)
      let found = message { try RunDirectory(base).save(configuration, replacing: nil) }
      #expect(found == "\(base) was changed by another job just now; give the command again")
    }
  }

  @Test func checkpointsWithoutSettingsAreNotOverwritten() throws {
    try withTemporaryDirectory { base in
      mkdir("\(base)/checkpoints", 0o755)
      #expect(try RunDirectory(base).savedConfiguration() == nil)
      try writeBytes([], to: "\(base)/checkpoints/step")
      #expect(
        message { try RunDirectory(base).savedConfiguration() }.contains(
          "holds checkpoints, but no config.yaml"))
    }
  }

  @Test func aPathThatCannotBeADirectoryIsNamed() throws {
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
