import FileSystem
import HDF5
import Testing

/// Expects `body` to throw an `HDF5Error`, or the `FileError` of a file that cannot be made, whose description holds
/// every one of `parts`.
func expectError(
  _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch {
    #expect(error is HDF5Error || error is FileError, sourceLocation: sourceLocation)
    for part in parts where !"\(error)".contains(part) {
      Issue.record("\"\(error)\" does not say \"\(part)\"", sourceLocation: sourceLocation)
    }
  }
}

/// Makes a file by `write` and closes it.
func makeFile(_ path: String, _ write: (File) throws -> Void = { _ in }) throws {
  let file = try File.create(path)
  try write(file)
  try file.close()
}
