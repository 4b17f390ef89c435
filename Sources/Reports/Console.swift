import FileSystem
import Glibc
import Preconditions
import Synchronization

/// The standard output of a job: lines and, on a terminal, a progress line below them that is overwritten in place.
///
/// `mpirun` gives each process a pseudoterminal of the size of its own terminal, or of size 0 if it has none: the size
/// tells whether a person watches.
package final class Console: Sendable {
  private let descriptor: Int32
  /// The first error of writing; a reader that has gone is none.
  private let failed = Mutex<FileError?>(nil)
  /// The current progress line.
  private let progressLine = Mutex("")

  /// The console on an open file.
  package init(descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

  /// The width of the terminal; nil if the output goes to a file or a pipe.
  package var columns: Int? {
    var size = winsize()
    guard isatty(descriptor) == 1, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return Int(size.ws_col)
  }

  /// Writes a line above the progress line.
  package func line(_ text: String) {
    let text = text.printable()
    progressLine.withLock { progress in
      write(progress.isEmpty ? "\(text)\n" : "\r\u{1B}[K\(text)\n\(progress)")
    }
  }

  /// Overwrites the progress line; does nothing without a terminal.
  package func progress(_ text: String) {
    guard let columns else { return }
    progressLine.withLock { progress in
      progress = String(text.prefix(columns - 1))
      write("\r\(progress)\u{1B}[K")
    }
  }

  /// Keeps the progress line as it is, and begins a new one.
  package func finishProgress() {
    progressLine.withLock { progress in
      if !progress.isEmpty { write("\n") }
      progress = ""
    }
  }

  /// Fails if something could not be written.
  ///
  /// - Throws: `FileError`; not if the reader has gone.
  package func check() throws {
    if let error = failed.withLock({ $0 }) { throw error }
  }

  /// A failing console is no reason to stop training: `check()` reports it.
  private func write(_ text: String) {
    do { try StandardOutput.write(text, to: descriptor) } catch let error as FileError {
      failed.withLock { $0 = $0 ?? error }
    } catch {
      preconditionFailure("\(error)")
    }
  }
}
