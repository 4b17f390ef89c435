import FileSystem
import HDF5
import Sequences
import Training

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
