import HDF5
import Testing

/// Expects `body` to throw an `HDF5Error` whose description holds every one of `parts`.
func expectError(
  _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as HDF5Error {
    for part in parts where !error.description.contains(part) {
      Issue.record("\"\(error)\" does not say \"\(part)\"", sourceLocation: sourceLocation)
    }
  } catch { Issue.record("\(error) is no HDF5Error", sourceLocation: sourceLocation) }
}

/// Makes a file by `write` and closes it.
func makeFile(_ path: String, _ write: (File) throws -> Void = { _ in }) throws {
  let file = try File.create(path)
  try write(file)
  try file.close()
}
