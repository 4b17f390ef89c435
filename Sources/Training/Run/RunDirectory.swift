import FileSystem
import Glibc
import Settings

/// A run directory that can't be used.
package struct RunError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The whole message.
  package let description: String

  /// An error of this message.
  package init(_ description: String) { self.description = description }

  /// Of a directory that is not as it was when the job looked at it.
  package static func changed(_ path: String) -> RunError {
    RunError("\(path) was changed by another job just now; give the command again")
  }
}

/// The directory of a run: `config.yaml`, `metrics.jsonl`, `run.log`, `checkpoints/` and `lock`.
///
/// One process of a job, rank 0, opens it to write and holds its lock as long as the object lives.
package final class RunDirectory {
  /// Where it is.
  package let path: String
  /// What the run resumes from.
  package let checkpoints: CheckpointStore
  private var lock: RunLock?
  /// The name of the directory of the checkpoints.
  package static let checkpointsName = "checkpoints"

  /// The directory at a path, which need not exist. Nothing is read or written yet.
  package init(_ path: String) {
    self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    checkpoints = CheckpointStore(directory: "\(self.path)/\(Self.checkpointsName)")
  }

  /// The directory of a run that names none: `runs/` with the configuration's name, or `default`.
  ///
  /// The same command has the same directory, and so goes on with its run.
  package static func defaultPath(configuration: String?) -> String {
    guard let configuration, let name = configuration.split(separator: "/").last else {
      return "runs/default"
    }
    let stem = name.lastIndex(of: ".").map { name[..<$0] } ?? name
    return "runs/\(stem.isEmpty ? name : stem)"
  }

  /// The complete, resolved settings.
  package var configurationPath: String { "\(path)/config.yaml" }
  /// One object a logging step.
  package var metricsPath: String { "\(path)/metrics.jsonl" }
  /// What was said, with times.
  package var logPath: String { "\(path)/run.log" }
  /// The embedded text, where the run names no data.
  package var embeddedDataPath: String { "\(path)/data.h5" }
  /// Where its checkpoints lie.
  package var checkpointsPath: String { checkpoints.directory }

  /// The settings that have been written here, if any.
  ///
  /// - Throws: `ConfigurationError` where a setting can't be what it is; `FileError` where they can't be read.
  package func savedSettings() throws -> SavedSettings { try SettingsFile.read(configurationPath) }

  /// Refuses to begin a run beside what may be checkpoints of another.
  ///
  /// - Throws: `RunError` where there are any.
  package func requireNoCheckpoints() throws {
    guard (try? Files.names(in: checkpointsPath))?.isEmpty ?? true else {
      throw RunError(
        "\(checkpointsPath) is not empty, but there is no config.yaml and no checkpoint that a run could go on with; "
          + "move away what is there, or choose another directory with --run")
    }
  }

  /// Takes the directory for this job: makes what is missing, and takes the lock.
  ///
  /// - Parameter fresh: Whether the run must begin here, so that the directory must be empty.
  /// - Returns: A warning for the log, where the file system can't lock.
  /// - Throws: `RunError` where another job has the directory or it is not empty as it should be; `FileError`
  ///   where it can't be written.
  package func open(fresh: Bool) throws -> String? {
    if fresh { try requireEmpty() }
    let lock: RunLock
    do {
      try Files.makeDirectory(path)
      lock = try RunLock(path: "\(path)/lock", directory: path)
    } catch let error as FileError {
      throw RunError("\(error); choose another directory with --run")
    }
    try Files.makeDirectory(checkpointsPath)
    self.lock = lock
    return lock.warning
  }

  /// Writes the settings.
  ///
  /// - Parameters:
  ///   - configuration: The resolved settings.
  ///   - previous: What `savedSettings()` gave when they were resolved.
  /// - Throws: `RunError` where the directory holds other ones by now; `FileError` where they can't be written.
  package func save(_ configuration: Configuration, replacing previous: SavedSettings) throws {
    guard try savedSettings() == previous else { throw RunError.changed(path) }
    // What stands there already keeps the user's own comments.
    guard
      previous.damage(expecting: Configuration.settings.keys) != nil
        || configuration != previous.configuration
    else {
      return
    }
    try Files.replace(configurationPath, with: SettingsFile.text(configuration).utf8)
  }

  private func requireEmpty() throws {
    guard Files.exists(path) else { return }
    let names = try Files.names(in: path).filter { $0 != "lock" }
    guard names.isEmpty else {
      throw RunError(
        "--fresh: \(path) is not empty (\(names.prefix(3).joined(separator: ", "))\(names.count > 3 ? ", ..." : "")); "
          + "empty it first if nothing in it is needed: rm -r \(path)")
    }
  }
}

/// The lock of a run directory, held while the object lives; the system releases it when the process ends.
private final class RunLock {
  private let descriptor: Int32
  /// What to say where the file system can't lock.
  let warning: String?

  init(path: String, directory: String) throws {
    descriptor = try Files.open(path, O_RDWR | O_CREAT)
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
      warning = nil
    } else if errno == EWOULDBLOCK {
      warning = nil
      throw RunError("\(directory) is in use by \(Self.holder(path))")
    } else {
      let reason = String(cString: strerror(errno))
      warning = "\(path) can't be locked (\(reason)): make sure that no second job uses \(directory)"
    }
    ftruncate(descriptor, 0)
    try Files.write(Array("\(hostName()) \(getpid())\n".utf8), to: descriptor, path: path)
  }

  deinit { close(descriptor) }

  /// Who holds the lock, and what to do about it.
  private static func holder(_ path: String) -> String {
    let text = String(decoding: (try? Files.read(path, atMost: 4096)) ?? [], as: UTF8.self)
    let parts = text.split(whereSeparator: \.isWhitespace)
    guard parts.count == 2 else { return "another job; wait for it, or choose another directory with --run" }
    let holder = "process \(parts[1]) on \(parts[0])"
    return parts[0] == hostName()
      ? "\(holder); wait for it, stop it with kill -USR1 \(parts[1]), or choose another directory with --run"
      : "\(holder); wait for it or stop it there, and if that host is gone for good, remove \(path)"
  }
}
