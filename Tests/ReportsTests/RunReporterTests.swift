import Glibc
import Reports
import TestSupport
import Testing
import Training

@Suite struct MetricsTests {
  static func row(_ step: Int, loss: Double = 1.5) -> TrainingRow {
    TrainingRow(
      step: step, epoch: 0, loss: loss, norm: 0.25, clipped: false, learningRate: 0.002, tokensPerSecond: 1e4,
      slowestRank: 3, waitShare: 0.25)
  }

  func lines(_ path: String) throws -> [Substring] {
    String(decoding: try readBytes(path), as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
  }

  func reporter(
    _ base: String, resumedStep: Int, validationPending: Bool = false, console: Int32
  ) throws -> RunReporter {
    var progress = TrainingProgress()
    (progress.step, progress.validationPending) = (resumedStep, validationPending)
    return try RunReporter(
      run: RunDirectory(base), resumedFrom: progress, totalSteps: 100,
      console: Console(descriptor: console))
  }

  @Test func `rows have the promised members`() throws {
    try withTemporaryDirectory { base in
      let null = open("/dev/null", O_WRONLY)
      defer { close(null) }
      let reporter = try reporter(base, resumedStep: 0, console: null)
      try reporter.report(Self.row(10, loss: .nan))
      try reporter.report(ValidationRow(step: 10, epoch: 0, loss: 1.75, best: true))
      let found = try lines("\(base)/metrics.jsonl").map { line in
        line.replacing(
          /"seconds":[0-9.e-]+,"time":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"/, with: "WHEN")
      }
      #expect(
        found == [
          "{\"kind\":\"train\",\"step\":10,\"epoch\":0,\"loss\":null,\"norm\":0.25,\"clipped\":false,"
            + "\"learning_rate\":0.002,\"tokens_per_second\":10000.0,\"slowest_rank\":3,\"wait_share\":0.25,WHEN}",
          "{\"kind\":\"validation\",\"step\":10,\"epoch\":0,\"loss\":1.75,\"best\":true,WHEN}",
          "",
        ])
    }
  }

  @Test func `damaged rows are told and left out, and seconds go on from the last sound one`() throws {
    try withTemporaryDirectory { base in
      let null = open("/dev/null", O_WRONLY)
      defer { close(null) }
      func row(_ step: Int, _ seconds: Double) -> String {
        "{\"kind\":\"train\",\"step\":\(step),\"loss\":1.5,\"seconds\":\(seconds)}\n"
      }
      let path = "\(base)/metrics.jsonl"
      let zeros = String(repeating: "\0", count: 40)
      let damaged = row(1, 10) + row(2, 20).dropLast(3) + "\n" + zeros + "\n" + row(3, 30) + "step 4\n"
      try writeBytes((damaged + row(5, 5000) + zeros).utf8, to: path)
      let metrics = try MetricsFile(path: path, resumedFrom: progress(4))
      #expect(metrics.damage == "\(path): 4 damaged lines left out: 2, 3, 5, 7")
      #expect(try String(decoding: readBytes(path), as: UTF8.self) == row(1, 10) + row(3, 30))
      try metrics.append(["kind": .string("train"), "step": .integer(5)])
      let seconds = try #require(try lines(path)[2].firstMatch(of: /"seconds":([0-9.]+),/)?.1)
      #expect((30..<100).contains(try #require(Double(seconds))))
      #expect(try MetricsFile(path: path, resumedFrom: progress(5)).damage == nil)

      // A run tells of it, once.
      try writeBytes((row(1, 10) + "}\n").utf8, to: path)
      for _ in 0..<2 { _ = try reporter(base, resumedStep: 1, console: null) }
      let log = try lines("\(base)/run.log").filter { $0.contains("damaged line") }
      #expect(log.count == 1 && log[0].hasSuffix(" warning \(path): 1 damaged line left out: 2"), "\(log)")
    }
  }

  @Test func `the row of a validation that is made again is dropped`() throws {
    try withTemporaryDirectory { base in
      let null = open("/dev/null", O_WRONLY)
      defer { close(null) }
      do {
        let reporter = try reporter(base, resumedStep: 0, console: null)
        try reporter.report(ValidationRow(step: 10, epoch: 0, loss: 1.75, best: true))
        try reporter.report(Self.row(20))
        try reporter.report(ValidationRow(step: 20, epoch: 0, loss: 1.5, best: true))
      }
      let path = "\(base)/metrics.jsonl"
      let whole = try lines(path)
      _ = try reporter(base, resumedStep: 20, console: null)
      #expect(try lines(path) == whole)
      _ = try reporter(base, resumedStep: 20, validationPending: true, console: null)
      #expect(try lines(path) == whole.prefix(2) + [""])
    }
  }

  @Test func `a console that takes no more is told of, one that is gone is not`() throws {
    signal(SIGPIPE, SIG_IGN)
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let console = Console(descriptor: full)
    try console.check()
    console.line("said")
    #expect {
      try console.check()
    } throws: {
      "\($0)"
        == "standard output: can't write: No space left on device; make room, and give the command again"
    }

    var pipe: [Int32] = [0, 0]
    try #require(Glibc.pipe(&pipe) == 0)
    close(pipe[0])
    defer { close(pipe[1]) }
    let unread = Console(descriptor: pipe[1])
    unread.line("said")
    try unread.check()

    let (controller, terminal) = try pseudoterminal()
    defer { close(terminal) }
    close(controller)
    let closed = Console(descriptor: terminal)
    closed.line("said")
    try closed.check()
  }

  private func progress(_ step: Int) -> TrainingProgress {
    var progress = TrainingProgress()
    progress.step = step
    return progress
  }

  @Test func `a resume drops later rows and a half row`() throws {
    try withTemporaryDirectory { base in
      let null = open("/dev/null", O_WRONLY)
      defer { close(null) }
      do {
        let reporter = try reporter(base, resumedStep: 0, console: null)
        for step in [10, 20, 30] { try reporter.report(Self.row(step)) }
        try reporter.report(ValidationRow(step: 30, epoch: 0, loss: 2, best: true))
      }
      let path = "\(base)/metrics.jsonl"
      let whole = try readBytes(path)
      let first = try lines(path)
      try writeBytes(whole + Array("{\"kind\":\"train\",\"step\":4".utf8), to: path)
      _ = try reporter(base, resumedStep: 40, console: null)
      #expect(try readBytes(path) == whole)
      try reporter(base, resumedStep: 20, console: null).report(Self.row(25))
      let second = try lines(path)
      #expect(second.prefix(2) == first.prefix(2))
      #expect(second.count == 4)
      #expect(second[2].contains("\"step\":25,"))
      _ = try reporter(base, resumedStep: 0, console: null)
      #expect(try readBytes(path).isEmpty)
      #expect(try directoryEntries(base) == ["metrics.jsonl", "run.log"])
    }
  }

  @Test func `without a terminal there are plain lines and the log has times`() throws {
    try withTemporaryDirectory { base in
      let output = open("\(base)/output", O_WRONLY | O_CREAT, 0o644)
      defer { close(output) }
      let reporter = try reporter(base, resumedStep: 0, console: output)
      reporter.logger.info("12 weights", metadata: ["b": "2", "a": "1"])
      try reporter.report(Self.row(100))
      reporter.logger.warning("slow")
      reporter.finish()
      let expected = [
        "12 weights  a=1  b=2", "step 100/100  loss 1.5000  norm 0.25  10.0k tokens/s  0:00 left",
        "warning: slow", "",
      ]
      #expect(try lines("\(base)/output").map(String.init) == expected)
      let log = try lines("\(base)/run.log")
      #expect(log.count == 4)
      for (line, said) in zip(log, [" info " + expected[0], " info " + expected[1], " warning slow"]) {
        #expect(line.wholeMatch(of: /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ .*/) != nil)
        #expect(line.hasSuffix(said))
      }
    }
  }

  /// Both ends of a new pseudoterminal, by Linux's TIOCSPTLCK and TIOCGPTN, which Swift can't import.
  func pseudoterminal() throws -> (controller: Int32, terminal: Int32) {
    let controller = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var (unlocked, number) = (Int32(0), UInt32(0))
    #expect(ioctl(controller, 0x4004_5431, &unlocked) == 0)
    #expect(ioctl(controller, 0x8004_5430, &number) == 0)
    let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(controller >= 0 && terminal >= 0)
    return (controller, terminal)
  }

  @Test func `on a terminal one line is written over`() throws {
    try withTemporaryDirectory { base in
      let (controller, terminal) = try pseudoterminal()
      defer {
        close(controller)
        close(terminal)
      }
      var size = winsize(ws_row: 24, ws_col: 20, ws_xpixel: 0, ws_ypixel: 0)
      #expect(Console(descriptor: terminal).columns == nil)
      #expect(ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0)
      #expect(Console(descriptor: terminal).columns == 20)

      let reporter = try reporter(base, resumedStep: 0, console: terminal)
      try reporter.report(Self.row(10))
      try reporter.report(Self.row(20))
      reporter.logger.info("said")
      reporter.finish()
      let expected =
        "\rstep 10/100  loss 1\u{1B}[K\rstep 20/100  loss 1\u{1B}[K\r\u{1B}[Ksaid\r\nstep 20/100  loss 1\r\n"
      // A terminal gives what it has, which may be less than all.
      var text: [UInt8] = []
      var bytes = [UInt8](repeating: 0, count: 4096)
      while text.count < expected.utf8.count {
        let count = read(controller, &bytes, bytes.count)
        guard count > 0 else { break }
        text += bytes[..<count]
      }
      #expect(String(decoding: text, as: UTF8.self) == expected)
    }
  }
}

@Suite struct JSONTests {
  @Test func `values become JSON`() {
    let value = JSON.object([
      "text": .string("a\"\\\n\t\u{1}é"), "list": .array([.null, .bool(true), .integer(-3)]),
      "tiny": .number(1e-8),
      "none": .number(.infinity),
    ])
    #expect(
      value.text
        == "{\"text\":\"a\\\"\\\\\\n\\t\\u0001é\",\"list\":[null,true,-3],\"tiny\":1e-08,\"none\":null}")
  }
}
