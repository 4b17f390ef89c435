import FileSystem
import HDF5
import Sequences
import Training

/// The search for the dataset that a model was trained on: the working directory may be another, and run or data may have
/// been moved.
package struct DatasetSearch {
  /// The dataset's path as the run's settings have it.
  let name: String
  /// The fingerprint that identifies it.
  let fingerprint: String
  /// Where it was before; nil if the checkpoint doesn't say.
  let place: DatasetPlace?
  /// The absolute path of the run's directory.
  let run: String

  /// A search for the dataset of the run that wrote a checkpoint.
  package init(_ checkpoint: CheckpointFile, name: String) {
    self.name = name
    fingerprint = checkpoint.header.datasetFingerprint
    place = checkpoint.header.datasetPlace
    let directory = Files.directory(of: Files.absolute(checkpoint.path))
    run =
      Files.name(of: directory) == RunDirectory.checkpointsName ? Files.directory(of: directory) : directory
  }

  /// Where it may be, likeliest first.
  var places: [String] {
    let file = Files.name(of: name)
    let before =
      place.map { [$0.path, Files.absolute("\(run)/\($0.pathFromRun)")] }
      ?? directoriesAbove.map { "\($0)/\(name)" }
    var seen: Set<String> = []
    return ([name] + before + ["\(run)/\(file)", "\(Files.directory(of: run))/\(file)"])
      .filter { seen.insert(Files.absolute($0)).inserted }
  }

  /// The directories above the run's; the program was probably started in one of them.
  private var directoriesAbove: [String] {
    guard !name.hasPrefix("/") else { return [] }
    return Array(sequence(first: run) { $0 == "/" ? nil : Files.directory(of: $0) }.dropFirst().dropLast())
  }

  /// The first place that holds the dataset.
  ///
  /// - Throws: `TrainingError` that says what each place holds instead.
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
