import FileSystem
import Glibc

/// Prints a line; everything that a command prints goes through here, or through the job's `Console`.
///
/// - Throws: `FileError` where the standard output takes no more; not where its reader has gone.
func printLine(_ text: String) throws { try StandardOutput.write("\(text)\n") }

/// Tells the user of a failure.
func report(_ error: any Error) { report("seqtrain: error: \("\(error)".printable())") }

/// Tells the user of what is not as it should be, but no reason to stop.
func report(warning: String) { report("seqtrain: warning: \(warning.printable())") }

/// Tells the user; nobody could be told where that fails.
func report(_ message: String) {
  try? Files.write(Array("\(message)\n".utf8), to: STDERR_FILENO, path: "standard error")
}
