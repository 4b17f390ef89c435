import Crypto
import FileSystem
import FoundationEssentials
import Glibc
import HDF5

/// What the manifest beside a checkpoint says: enough to tell, before the file is opened as HDF5, whether it is whole.
package struct CheckpointManifest: Codable, Sendable, Equatable {
  /// The name of the checkpoint's file.
  package let file: String
  /// Its size.
  package let bytes: Int
  /// The SHA-256 of its bytes, in hexadecimal.
  package let sha256: String
  /// Updates made.
  package let step: Int
}

/// The checkpoints of a run: `step-00000100.h5`, each with a manifest `step-00000100.json`.
///
/// A checkpoint is whole or absent: it is written under another name, read again, synchronised with the disk and renamed.
/// Its manifest follows; a manifest without a checkpoint tells of one that has been lost. `best.h5` is a link to the
/// best one.
package final class CheckpointStore {
  package let directory: String
  /// Whether the checkpoints that this process has read or written are sound, by their steps.
  private var soundness: [Int: Bool] = [:]

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
    return try Files.names(in: directory).compactMap { Self.step(inName: $0, suffix: suffix) }
  }

  /// The step in the name of a checkpoint, or of a manifest.
  private static func step(inName name: String, suffix: String = ".h5") -> Int? {
    guard name.hasPrefix("step-"), name.hasSuffix(suffix) else { return nil }
    return Int(name.dropFirst(5).dropLast(suffix.count))
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
      // That of a checkpoint that is replaced would speak against the new one, if a kill came between.
      unlink(manifestPath(step))
    }
    do {
      try write(
        CheckpointManifest(
          file: "\(Self.name(step)).h5", bytes: digest.bytes, sha256: digest.sha256, step: step))
    } catch {
      unlink(path(step))
      unlink(manifestPath(step))
      throw error
    }
    soundness[step] = true
  }

  private func write(_ manifest: CheckpointManifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let text = try encoder.encode(manifest)
    try Files.replace(manifestPath(manifest.step), with: text + "\n".utf8)
  }

  /// Where the manifest of the checkpoint at `path` lies, if it has one.
  static func manifestPath(of path: String) -> String {
    String(path.dropLast(path.hasSuffix(".h5") ? 3 : 0)) + ".json"
  }

  /// The manifest beside the checkpoint at `path`, if it has one that can be read; it must be of a file of that name and
  /// size.
  private static func manifest(of path: String) throws -> CheckpointManifest? {
    let manifestPath = manifestPath(of: path)
    guard Files.exists(manifestPath) else { return nil }
    // One that is damaged vouches for nothing, and says nothing against the file either.
    guard let text = try? Files.read(manifestPath, atMost: 1 << 20),
      let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: Data(text))
    else { return nil }
    let name = Files.name(of: path)
    guard manifest.file == name else {
      throw TrainingError(
        "\(manifestPath): the manifest of \(manifest.file.debugDescription), expected one of \(name.debugDescription); "
          + "one of the two is damaged, or was given another's name")
    }
    let bytes = try Files.size(of: path)
    guard bytes == manifest.bytes else {
      throw TrainingError(
        "\(path): \(bytes) bytes, where the manifest says \(manifest.bytes); it is damaged")
    }
    return manifest
  }

  /// Opens the checkpoint at `path`, checked against the manifest beside it; where there is none, everything in it is
  /// read and checked. The manifest of a link, such as `best.h5`, lies beside what it leads to.
  ///
  /// - Throws: `TrainingError` where it is not the file that was written; as `CheckpointFile`.
  package static func open(_ path: String) throws -> CheckpointFile {
    let path = withoutLink(path)
    let manifest = try manifest(of: path)
    if let manifest, try fileDigest(path).sha256 != manifest.sha256 {
      throw TrainingError("\(path): its SHA-256 is not the one in its manifest; it is damaged")
    }
    let file = try CheckpointFile(path)
    let step = file.header.progress.step
    for (witness, said) in [("manifest", manifest?.step), ("name", Self.step(inName: Files.name(of: path)))] {
      if let said, said != step {
        throw TrainingError(
          "\(path): of step \(step), where its \(witness) says \(said); it is damaged, or was given another's name"
        )
      }
    }
    if manifest == nil { try file.verify() }
    return file
  }

  /// The newest checkpoint that is sound, with what was wrong with newer ones, lost ones among them.
  package func newestSound() throws -> (file: CheckpointFile?, failures: [String]) {
    func listed() throws -> Set<Int> { Set(try steps(of: ".h5") + steps(of: ".json")) }
    search: while true {
      var failures: [String] = []
      for step in try listed().sorted(by: >) {
        do {
          let file = try Self.open(path(step))
          soundness[step] = true
          return (file, failures)
        } catch {
          // A run that goes on may have deleted it just now: then there are newer ones.
          guard try listed().contains(step) else { continue search }
          soundness[step] = false
          failures.append("\(error)")
        }
      }
      return (nil, failures)
    }
  }

  /// Whether a checkpoint is sound, as far as is known: one that this process has neither written nor read is held
  /// against its manifest's size, and read through where it has none.
  private func isSound(_ step: Int) -> Bool {
    if let isSound = soundness[step] { return isSound }
    let path = path(step)
    let isSound =
      Self.hasManifest(path) ? (try? Self.manifest(of: path)) != nil : (try? Self.open(path)) != nil
    soundness[step] = isSound
    return isSound
  }

  /// The path of the checkpoint with the lowest validation loss, if there has been a validation.
  package var bestPath: String? {
    let path = Self.withoutLink(bestLink)
    return path != bestLink || Files.exists(path) ? path : nil
  }

  /// Keeps the newest `keep` sound checkpoints up to that of `step`, which has just been written or read, and the best
  /// one; deletes the others up to there, and what an interrupted run left behind.
  ///
  /// Damaged ones count for nothing. Later ones could not be read when the run resumed from one before; they are
  /// deleted or replaced when the run comes there.
  ///
  /// - Parameter bestStep: A step whose checkpoint has been written, if any.
  package func prune(at step: Int, keep: Int, bestStep: Int?) throws {
    let steps = try steps().filter { $0 <= step }
    let sound = steps.reversed().lazy.filter { self.isSound($0) }.prefix(keep)
    let kept = Set(Array(sound) + (bestStep.map { [$0] } ?? []))
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

  /// The same for the checkpoint and the best one that a run's progress tells of.
  func prune(after progress: TrainingProgress, keep: Int) throws {
    try prune(
      at: progress.step, keep: keep, bestStep: progress.bestValidation.isFinite ? progress.bestStep : nil)
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
