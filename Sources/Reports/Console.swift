import FileSystem
import Glibc
import Preconditions
import Synchronization

/// The standard output of a job: lines, and on a terminal below them one line that is written over in place.
///
/// `mpirun` gives each process a terminal of its own, with the size of the one it has itself, or size 0 where it has
/// none: the size tells whether a person watches.
package final class Console: Sendable {
  private let descriptor: Int32
  /// Why something could not be written, the first time; nil too where the reader has gone.
  private let failed = Mutex<FileError?>(nil)
  /// The line that is written over, as it stands.
  private let progressLine = Mutex("")

  /// The console on an open file.
  package init(descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

  /// The width of the terminal, or nil where the output goes to a file or a pipe.
  package var columns: Int? {
    var size = winsize()
    guard isatty(descriptor) == 1, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return Int(size.ws_col)
  }

  /// Writes a line for good.
  package func line(_ text: String) {
    let text = text.printable()
    progressLine.withLock { progress in
      write(progress.isEmpty ? "\(text)\n" : "\r\u{1B}[K\(text)\n\(progress)")
    }
  }

  /// Writes a line over the one that was written so before; without a terminal it does nothing.
  package func progress(_ text: String) {
    guard let columns else { return }
    progressLine.withLock { progress in
      progress = String(text.prefix(columns - 1))
      write("\r\(progress)\u{1B}[K")
    }
  }

  /// Leaves the line that was written over as it is, and begins a new one.
  package func finishProgress() {
    progressLine.withLock { progress in
      if !progress.isEmpty { write("\n") }
      progress = ""
    }
  }

  /// Fails where something could not be written.
  ///
  /// - Throws: `FileError`; not where the reader has gone.
  package func check() throws {
    if let error = failed.withLock({ $0 }) { throw error }
  }

  /// A console that takes no more is no reason to stop training: `check()` tells of it.
  private func write(_ text: String) {
    do { try StandardOutput.write(text, to: descriptor) } catch let error as FileError {
      failed.withLock { $0 = $0 ?? error }
    } catch {
      preconditionFailure("\(error)")
    }
  }
}
