import Glibc

/// What a program prints.
package enum StandardOutput {
  /// Writes text to the standard output, or another open file.
  ///
  /// A reader that has gone, such as `head` or a terminal that was closed, has seen enough: that is no error.
  ///
  /// - Throws: `FileError` where it can't be written.
  package static func write(_ text: String, to descriptor: Int32 = STDOUT_FILENO) throws {
    _ = try write(Array(text.utf8), to: descriptor)
  }

  /// Writes bytes as text is written; whether there still is a reader.
  package static func write(_ bytes: [UInt8], to descriptor: Int32 = STDOUT_FILENO) throws -> Bool {
    do { try Files.write(bytes, to: descriptor, path: "standard output") } catch let error as FileError
      where error.code == EPIPE || (error.code == EIO && isTerminal(descriptor))
    { return false }
    return true
  }

  /// Whether it is or was a terminal; one that was closed is still a device.
  private static func isTerminal(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR
  }

  /// Keeps the numbers of the standard streams for them: one that is closed would be given to the next file that is
  /// opened, and what is printed would go there. What takes its place refuses as a closed one does.
  package static func reserveDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
