import Crypto
import FileSystem
import FoundationEssentials
import Glibc
import HDF5

/// What the manifest beside a checkpoint says: enough to tell, before the file is opened as HDF5, whether it is whole.
public struct CheckpointManifest: Codable, Sendable, Equatable {
  /// The name of the checkpoint's file.
  public let file: String
  /// Its size.
  public let bytes: Int
  /// The SHA-256 of its bytes, in hexadecimal.
  public let sha256: String
  /// Updates made.
  public let step: Int
}

/// The checkpoints of a run: `step-00000100.h5`, each with a manifest `step-00000100.json`.
///
/// A checkpoint is whole or absent: it is written under another name, read again, synchronised with the disk and renamed.
/// Its manifest follows; a manifest without a checkpoint tells of one that has been lost. `best.h5` is a link to the
/// best one.
package struct CheckpointStore {
  package let directory: String

  package init(directory: String) { self.directory = directory }

  private static func name(_ step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  private func path(_ step: Int) -> String { "\(directory)/\(Self.name(step)).h5" }
  private func manifestPath(_ step: Int) -> String { "\(directory)/\(Self.name(step)).json" }
  private var bestLink: String { "\(directory)/best.h5" }

  /// The steps of all checkpoints there are, ascending, whether sound or not.
  package func steps() throws -> [Int] { try steps(of: ".h5").sorted() }

  /// The steps in the names of the checkpoints, or of their manifests.
  private func steps(of suffix: String) throws -> [Int] {
    guard Files.isDirectory(directory) else { return [] }
    return try Files.names(in: directory).compactMap { name in
      guard name.hasPrefix("step-"), name.hasSuffix(suffix) else { return nil }
      return Int(name.dropFirst(5).dropLast(suffix.count))
    }
  }

  /// Writes a checkpoint.
  ///
  /// - Throws: What the file system or HDF5 report; then no file of this step exists, and the others are as they were.
  package func write(_ header: CheckpointHeader, _ arrays: [CheckpointArray]) throws {
    let step = header.progress.step
    var digest = (sha256: "", bytes: 0)
    try File.createAtomically(path(step), existing: .replace) { file in
      try CheckpointFile.write(header, arrays, to: file)
    } check: { file in
      digest = try fileDigest(file.location)
    }
    // Where a damaged one has been replaced, its manifest speaks against the new one until now: a run that is killed
    // here goes on from the one before.
    do {
      try write(
        CheckpointManifest(
          file: "\(Self.name(step)).h5", bytes: digest.bytes, sha256: digest.sha256, step: step))
    } catch {
      unlink(path(step))
      unlink(manifestPath(step))
      throw error
    }
  }

  private func write(_ manifest: CheckpointManifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let text = try encoder.encode(manifest)
    try Files.replace(manifestPath(manifest.step), with: text + "\n".utf8)
  }

  /// Checks a checkpoint against its manifest, and opens it.
  ///
  /// - Throws: `TrainingError` where it is not the file that was written, `HDF5Error` where it can't be read.
  func open(_ step: Int) throws -> CheckpointFile { try Self.open(path(step)) }

  /// Where the manifest of the checkpoint at `path` lies, if it has one.
  static func manifestPath(of path: String) -> String {
    String(path.dropLast(path.hasSuffix(".h5") ? 3 : 0)) + ".json"
  }

  /// Opens the checkpoint at `path`, checked against the manifest beside it where there is one. The manifest of a
  /// link, such as `best.h5`, lies beside what it leads to.
  package static func open(_ path: String) throws -> CheckpointFile {
    let path = withoutLink(path)
    let manifestPath = manifestPath(of: path)
    if Files.exists(manifestPath) {
      let text = try Files.read(manifestPath, atMost: 1 << 20)
      guard let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: Data(text)) else {
        throw TrainingError("\(manifestPath): not a checkpoint's manifest; it may have been damaged")
      }
      let (sha256, bytes) = try fileDigest(path)
      guard bytes == manifest.bytes else {
        throw TrainingError(
          "\(path): \(bytes) bytes, where the manifest says \(manifest.bytes); it is damaged")
      }
      guard sha256 == manifest.sha256 else {
        throw TrainingError("\(path): its SHA-256 is not the one in its manifest; it is damaged")
      }
    }
    return try CheckpointFile(path)
  }

  /// The newest checkpoint that is sound, with what was wrong with newer ones, lost ones among them.
  package func newestSound() throws -> (file: CheckpointFile?, failures: [String]) {
    var failures: [String] = []
    for step in Set(try steps(of: ".h5") + steps(of: ".json")).sorted(by: >) {
      do { return (try open(step), failures) } catch { failures.append("\(error)") }
    }
    return (nil, failures)
  }

  /// The path of the checkpoint with the lowest validation loss, if there has been a validation.
  package var bestPath: String? {
    let path = Self.withoutLink(bestLink)
    return path != bestLink || Files.exists(path) ? path : nil
  }

  /// Keeps the newest `keep` checkpoints up to that of `step`, which has just been written, and the best one; deletes
  /// those before, and what an interrupted run left behind.
  ///
  /// Later ones could not be read when the run resumed from one before. They count for nothing, and are replaced when
  /// the run comes there.
  ///
  /// - Parameter bestStep: A step whose checkpoint has been written, if any.
  package func prune(at step: Int, keep: Int, bestStep: Int?) throws {
    let steps = try steps().filter { $0 <= step }
    let kept = Set(steps.suffix(keep) + (bestStep.map { [$0] } ?? []))
    // First, so that the link never leads to nothing.
    if let bestStep, steps.contains(bestStep) { try link(best: bestStep) }
    for step in steps where !kept.contains(step) {
      unlink(manifestPath(step))
      unlink(path(step))
    }
    for name in try Files.names(in: directory) {
      let isManifest = name.hasPrefix("step-") && name.hasSuffix(".json")
      let isOrphan = isManifest && !Files.exists("\(directory)/\(name.dropLast(5)).h5")
      if isOrphan || name.hasSuffix(".partial") { unlink("\(directory)/\(name)") }
    }
  }

  private func link(best step: Int) throws {
    let target = "\(Self.name(step)).h5"
    let temporary = bestLink + ".partial"
    unlink(temporary)
    guard symlink(target, temporary) == 0, rename(temporary, bestLink) == 0 else {
      throw TrainingError(
        "\(bestLink): cannot be made a link to \(target): \(String(cString: strerror(errno)))")
    }
  }
}

/// The SHA-256 of a file's bytes, in hexadecimal, and their number.
func fileDigest(_ path: String) throws -> (sha256: String, bytes: Int) {
  var hash = SHA256()
  var bytes = 0
  try Files.forEachBlock(of: path) { block in
    hash.update(bufferPointer: block)
    bytes += block.count
  }
  return (hash.finalize().hexadecimal, bytes)
}
