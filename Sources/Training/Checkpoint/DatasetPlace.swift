import FileSystem
import HDF5

/// Where a run's dataset was when a checkpoint was written.
package struct DatasetPlace: Equatable {
  /// Its absolute path.
  package let path: String
  /// Its path from the run's directory: still right after both have moved together.
  package let pathFromRun: String

  /// The place of the dataset at `path`, of the run in a directory.
  package init(of path: String, run: String) {
    self.path = Files.absolute(path)
    pathFromRun = Files.relative(self.path, from: Files.absolute(run))
  }

  private static let pathName = "dataset_path"
  private static let pathFromRunName = "dataset_path_from_run"

  /// Reads what `write` wrote, if anything.
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
