import FileSystem
import HDF5
import Sequences

/// Where the dataset of a run lay when a checkpoint was written.
package struct DatasetPlace: Equatable {
  /// Its path from the root.
  let path: String
  /// Its path from the run's directory: the same after both have been moved together.
  let pathFromRun: String

  /// The place of the dataset at `path`, of the run in a directory.
  package init(of path: String, run: String) {
    self.path = Files.absolute(path)
    pathFromRun = Files.relative(self.path, from: Files.absolute(run))
  }

  private static let pathName = "dataset_path"
  private static let pathFromRunName = "dataset_path_from_run"

  /// Reads what `write` has written, if anything.
  init?(_ attributes: Attributes) throws {
    guard try attributes.contains(Self.pathName) else { return nil }
    path = try attributes.string(Self.pathName)
    pathFromRun = try attributes.string(Self.pathFromRunName)
  }

  func write(to attributes: Attributes) throws {
    try attributes.set(Self.pathName, path)
    try attributes.set(Self.pathFromRunName, pathFromRun)
  }
}

/// The search for the dataset that a model was trained on: the program may be started elsewhere than before, and run or
/// data may have been moved.
package struct DatasetSearch {
  /// The dataset's path as the run's settings have it.
  let name: String
  /// Its fingerprint, by which it is known.
  let fingerprint: String
  /// Where it lay before; nil where the checkpoint does not say.
  let place: DatasetPlace?
  /// The directory of the run, from the root.
  let run: String

  /// For the dataset of the run that has written a checkpoint.
  package init(_ checkpoint: CheckpointFile, name: String) {
    self.name = name
    fingerprint = checkpoint.header.datasetFingerprint
    place = checkpoint.header.datasetPlace
    let directory = Files.directory(of: Files.absolute(checkpoint.path))
    run =
      Files.name(of: directory) == RunDirectory.checkpointsName ? Files.directory(of: directory) : directory
  }

  /// Where it may lie, the likeliest places first.
  var places: [String] {
    let file = Files.name(of: name)
    let before =
      place.map { [$0.path, Files.absolute("\(run)/\($0.pathFromRun)")] }
      ?? directoriesAbove.map { "\($0)/\(name)" }
    var seen: Set<String> = []
    return ([name] + before + ["\(run)/\(file)", "\(Files.directory(of: run))/\(file)"])
      .filter { seen.insert(Files.absolute($0)).inserted }
  }

  /// The directories above the run's, in one of which the program was probably started.
  private var directoriesAbove: [String] {
    guard !name.hasPrefix("/") else { return [] }
    return Array(sequence(first: run) { $0 == "/" ? nil : Files.directory(of: $0) }.dropFirst().dropLast())
  }

  /// The first of the places where the dataset lies.
  ///
  /// - Throws: `TrainingError` that says what is there instead.
  package func find() throws -> String {
    guard !name.isEmpty else { throw TrainingError("\(run): the run names no dataset; name one with --data") }
    var found: [String] = []
    for path in places {
      do {
        let other = try File.open(path, as: SequenceDataset.format).file.attributes.string("fingerprint")
        if other == fingerprint { return path }
        found.append("\(path): its fingerprint is \(other)")
      } catch {
        found.append("\(error)")
      }
    }
    throw TrainingError(
      "\(run): the dataset \(name), which the run was trained on, is not found: its fingerprint is \(fingerprint); looked "
        + "at \(found.joined(separator: "; ")); put it back as it was, or say where it is with --data")
  }
}
