import FileSystem
import Glibc

extension CheckpointStore {
  /// The checkpoint that a user means by `path`: a checkpoint's file, or the directory of a run.
  ///
  /// - Parameter best: Of a run, whether the checkpoint with the lowest validation loss is meant, or the newest sound
  ///   one.
  /// - Returns: The checkpoint, and what is wrong with newer ones.
  /// - Throws: `TrainingError`, `HDF5Error` where there is none that can be read.
  package static func find(_ path: String, best: Bool) throws -> (file: CheckpointFile, damaged: [String]) {
    guard Files.isDirectory(path) else { return (try open(path), []) }
    let store = RunDirectory(path).checkpoints
    if best { return (try store.best(), []) }
    let (file, failures) = try store.newestSound()
    if let file { return (file, failures) }
    let reason =
      failures.isEmpty ? "not a run, or one without a checkpoint yet" : failures.joined(separator: "; ")
    throw TrainingError("\(path): no checkpoint that can be read: \(reason)")
  }

  /// The checkpoint with the lowest validation loss.
  package func best() throws -> CheckpointFile {
    while let path = bestPath {
      do { return try Self.open(path) } catch {
        // A run that goes on may have replaced it just now.
        guard path == bestPath else { continue }
        throw TrainingError("\(error); without --best the newest checkpoint is taken")
      }
    }
    throw TrainingError(
      "\(Files.directory(of: directory)): no best checkpoint; there is one after the first validation")
  }

  /// Whether `path` is a checkpoint that a manifest vouches for: it need not be opened to know what it is.
  package static func hasManifest(_ path: String) -> Bool {
    Files.exists(manifestPath(of: withoutLink(path)))
  }

  /// The file that a link such as `best.h5` leads to: the manifest lies beside it under its own name.
  static func withoutLink(_ path: String) -> String {
    var path = path
    // Linux follows as many links.
    for _ in 0..<40 {
      var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
      let count = readlink(path, &bytes, bytes.count)
      guard count > 0 else { break }
      let target = String(decoding: bytes[..<count], as: UTF8.self)
      path = target.hasPrefix("/") ? target : "\(Files.directory(of: path))/\(target)"
    }
    return path
  }
}
