import FileSystem
import Glibc
import Synchronization

/// The standard output of a job: lines, and on a terminal below them one line that is written over in place.
///
/// `mpirun` gives each process a terminal of its own, with the size of the one it has itself, or size 0 where it has
/// none: the size tells whether a person watches.
public final class Console: Sendable {
  private let descriptor: Int32
  /// The line that is written over, as it stands.
  private let progressLine = Mutex("")

  /// The console on an open file.
  public init(descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

  /// The width of the terminal, or nil where the output goes to a file or a pipe.
  public var columns: Int? {
    var size = winsize()
    guard isatty(descriptor) == 1, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return Int(size.ws_col)
  }

  /// Writes a line for good.
  public func line(_ text: String) {
    progressLine.withLock { progress in
      write(progress.isEmpty ? "\(text)\n" : "\r\u{1B}[K\(text)\n\(progress)")
    }
  }

  /// Writes a line over the one that was written so before; without a terminal it does nothing.
  public func progress(_ text: String) {
    guard let columns else { return }
    progressLine.withLock { progress in
      progress = String(text.prefix(columns - 1))
      write("\r\(progress)\u{1B}[K")
    }
  }

  /// Leaves the line that was written over as it is, and begins a new one.
  public func finishProgress() {
    progressLine.withLock { progress in
      if !progress.isEmpty { write("\n") }
      progress = ""
    }
  }

  /// A console that is gone is no reason to stop training.
  private func write(_ text: String) {
    try? Files.write(Array(text.utf8), to: descriptor, path: "standard output")
  }
}
