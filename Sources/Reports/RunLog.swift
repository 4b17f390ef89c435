import FileSystem
import Glibc
import Logging

/// Writes log messages to `run.log`, with times, and to the console.
struct RunLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  private let file: RunLogFile
  private let console: Console

  init(file: RunLogFile, console: Console) {
    self.file = file
    self.console = console
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let values = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let text = "\(event.message)" + values.map { "  \($0.key)=\($0.value)" }.joined()
    file.line(text, level: event.level)
    console.line(event.level >= .warning ? "\(event.level): \(text)" : text)
  }
}

/// `run.log`: lines with time and level, from all launches of a run.
final class RunLogFile: Sendable {
  private let path: String
  private let descriptor: Int32

  init(path: String) throws {
    self.path = path
    descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_APPEND)
  }

  deinit { close(descriptor) }

  /// Adds a line; errors are ignored: a failing log is no reason to stop training.
  func line(_ text: String, level: Logger.Level = .info) {
    let line = "\(Wording.timeOfDay()) \(level) \(text.printable())\n"
    try? Files.write(Array(line.utf8), to: descriptor, path: path)
  }
}
