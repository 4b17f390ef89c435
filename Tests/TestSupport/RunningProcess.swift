import Glibc

/// How a process ended and what it printed.
package struct ProcessResult: Sendable, CustomStringConvertible {
  /// The exit status; 128 plus the signal's number where a signal ended it.
  package let status: Int32
  /// What it wrote to its standard output.
  package let output: String
  /// What it wrote to its standard error.
  package let errors: String
  /// Whether it was killed because its time was up.
  package let timedOut: Bool

  /// All of it, for the message of a failed test.
  package var description: String {
    "status \(status)\(timedOut ? " (timed out)" : "")\n--- output\n\(output)--- errors\n\(errors)"
  }
}

/// A process that a test has started.
package final class RunningProcess {
  /// The process's number.
  package let id: pid_t
  /// What it writes, and the session directory of Open MPI, where it is a job: jobs that share one can remove it under
  /// each other.
  private let scratch: String
  private let outputPath: String
  private let errorsPath: String

  /// Starts `program` in a process group of its own, its standard input empty.
  ///
  /// - Parameters:
  ///   - program: a path, or a name that is looked for in PATH.
  ///   - environment: variables set besides those of the tests themselves; nil unsets one.
  ///   - directory: where it runs.
  package init(
    _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
    directory: String? = nil
  ) throws {
    // Files rather than pipes: nobody needs to read while the process runs.
    scratch = try makeTemporaryDirectory()
    (outputPath, errorsPath) = ("\(scratch)/output", "\(scratch)/errors")
    try writeBytes([], to: outputPath)
    try writeBytes([], to: errorsPath)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outputPath, O_WRONLY | O_APPEND, 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errorsPath, O_WRONLY | O_APPEND, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    posix_spawnattr_setpgroup(&attributes, 0)
    // Tests run on threads that let no signals through, which the process would inherit.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    // Nor does it ignore what the tests ignore, as under nohup.
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)

    var id: pid_t = 0
    let environment = ["OMPI_MCA_orte_tmpdir_base": scratch].merging(environment) { _, given in given }
    let command = (directory.map { ["env", "-C", $0] } ?? []) + [program] + arguments
    let status = withCStrings(command) { arguments in
      withCStrings(environmentStrings(changedBy: environment)) { environment in
        posix_spawnp(&id, command[0], &actions, &attributes, arguments, environment)
      }
    }
    self.id = id
    guard status == 0 else { throw SystemError("start \(program)", code: status) }
  }

  deinit { removeTree(scratch) }

  /// Sends a signal to the process alone.
  package func signal(_ number: Int32) { kill(id, number) }

  /// What it has written to its standard output so far.
  package func outputSoFar() throws -> String { String(decoding: try readBytes(outputPath), as: UTF8.self) }

  /// What it has written to its standard error so far.
  package func errorsSoFar() throws -> String { String(decoding: try readBytes(errorsPath), as: UTF8.self) }

  /// The numbers of the processes that it has started and that still run, ascending; of `mpirun` its ranks.
  package func children() throws -> [pid_t] {
    try directoryEntries("/proc").compactMap { pid_t($0) }.filter { child in
      // The parent's number is the second field behind the name, which stands in parentheses.
      guard let bytes = try? readBytes("/proc/\(child)/stat") else { return false }
      let fields = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.split(separator: " ")
      return fields.map { $0.count > 1 && $0[0] != "Z" && pid_t($0[1]) == id } ?? false
    }.sorted()
  }

  /// Whether it has not ended yet.
  package var isRunning: Bool {
    var information = siginfo_t()
    // Ended or not, it is left to `wait` to take note of it.
    return waitid(P_PID, id_t(id), &information, WEXITED | WNOHANG | WNOWAIT) == 0
      && information.si_signo == 0
  }

  /// Waits until `condition` holds, or the process has ended.
  ///
  /// - Returns: Whether it holds; false too where that takes more than `timeout` seconds.
  package func wait(timeout: Double = 60, until condition: () throws -> Bool) rethrows -> Bool {
    let deadline = secondsNow() + timeout
    while try !condition() {
      guard isRunning, secondsNow() < deadline else { return false }
      usleep(500)
    }
    return true
  }

  /// Waits for the end, for so many seconds; after that it ends the process and its group.
  package func wait(timeout: Double = 60) throws -> ProcessResult {
    var status: Int32 = 0
    var timedOut = false
    let deadline = secondsNow() + timeout
    while waitpid(id, &status, WNOHANG) == 0 {
      if secondsNow() > deadline {
        timedOut = true
        end(&status)
        break
      }
      usleep(2_000)
    }
    let signal = status & 0x7f
    return ProcessResult(
      status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: try outputSoFar(),
      errors: try errorsSoFar(), timedOut: timedOut)
  }

  /// Asks the process to end, for `mpirun` to end its ranks, and kills its group where it does not.
  private func end(_ status: inout Int32) {
    kill(id, SIGTERM)
    for _ in 0..<500 {
      if waitpid(id, &status, WNOHANG) != 0 { return }
      usleep(10_000)
    }
    kill(-id, SIGKILL)
    waitpid(id, &status, 0)
  }
}

/// Runs `program` to its end; see `RunningProcess` for the parameters.
package func runProcess(
  _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
  directory: String? = nil,
  timeout: Double = 60
) throws -> ProcessResult {
  try RunningProcess(program, arguments, environment: environment, directory: directory).wait(
    timeout: timeout)
}

private func secondsNow() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The tests' own environment with some variables set or, where nil, unset, as `NAME=VALUE`.
private func environmentStrings(changedBy changes: [String: String?]) -> [String] {
  var strings: [String] = []
  var entry = environ
  while let string = entry.pointee {
    let string = String(cString: string)
    if !changes.keys.contains(String(string.prefix { $0 != "=" })) { strings.append(string) }
    entry += 1
  }
  return strings + changes.compactMap { name, value in value.map { "\(name)=\($0)" } }
}

private func withCStrings<Result>(
  _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  let copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return body(copies + [nil])
}
