import FileSystem

/// What the checkpoints of a run take of the disk, and what it has left.
package struct CheckpointRoom {
  /// The bytes of each.
  package let bytes: Int
  /// The most there are at a time: those that are kept, the best, and one being written.
  package let count: Int
  private let directory: String
  private let existing: Int

  /// The room of a run's checkpoints of so many bytes each.
  ///
  /// - Throws: `FileError` where the directory can't be read.
  package init(_ configuration: Configuration, bytes: Int, run: RunDirectory) throws {
    self.bytes = bytes
    count = configuration.checkpoint.keep + (configuration.evaluation.every > 0 ? 2 : 1)
    directory = run.checkpointsPath
    existing = try run.checkpoints.steps().count
  }

  /// What should be said of a disk that does not take all of them; nil where it does.
  ///
  /// - Throws: `TrainingError` where it does not take a single one.
  package func check() throws -> String? {
    var place = directory
    while !Files.exists(place), place != Files.directory(of: place) { place = Files.directory(of: place) }
    guard let left = Files.room(in: place) else { return nil }
    let found = "the disk of \(place) has \(Wording.bytes(left)) left"
    guard left >= bytes else {
      throw TrainingError(
        "\(found), but a checkpoint takes \(Wording.bytes(bytes)); make room, or choose another directory with --run"
      )
    }
    let missing = max(1, count - existing)
    guard left / missing < bytes else { return nil }
    return
      "\(found), but the run's next checkpoints take \(missing) x \(Wording.bytes(bytes)); make room, or lower checkpoint.keep"
  }
}
