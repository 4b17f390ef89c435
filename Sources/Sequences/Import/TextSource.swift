import FileSystem
import Glibc

/// A text to be read: a file, standard input, or a pipe that the shell has made for `<(...)`.
package struct TextSource: Sendable {
  /// What messages and datasets call it: the path, or `-` for standard input.
  package let name: String
  /// What comes only once, kept in a file without a name: texts are read more than once.
  private let spool: Spool?

  private static let standardInputName = "-"

  /// The text of a file, which is opened only when it is read, or of standard input or a pipe, which is read to its end
  /// now.
  ///
  /// - Parameter directory: Where such input is kept; by default where temporary files are.
  /// - Throws: `FileError` where such input cannot be read, or there is no room for it.
  package static func named(_ name: String, keptIn directory: String? = nil) throws -> TextSource {
    let directory = directory ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    if name == standardInputName {
      return TextSource(name: name, spool: try Spool(STDIN_FILENO, named: "standard input", in: directory))
    }
    guard isOpenStream(name) else { return TextSource(name: name, spool: nil) }
    let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(name, "open") }
    defer { close(descriptor) }
    // Only the opening must not wait, for a pipe that no one writes to.
    _ = fcntl(descriptor, F_SETFL, 0)
    return TextSource(name: name, spool: try Spool(descriptor, named: name, in: directory))
  }

  /// Whether a path leads to a pipe or terminal that this process has open, as `/dev/stdin` and `/dev/fd/63` do. It is a
  /// link then; a FIFO of that name is not.
  private static func isOpenStream(_ path: String) -> Bool {
    var (link, target) = (stat(), stat())
    return lstat(path, &link) == 0 && link.st_mode & S_IFMT == S_IFLNK && stat(path, &target) == 0
      && [S_IFIFO, S_IFCHR].contains(target.st_mode & S_IFMT)
  }

  /// Lends a descriptor at the beginning of the text to `body`.
  ///
  /// - Throws: `DataError` where the text is missing, may not be read, or is no regular file (it is read more than once).
  func withDescriptor<Result>(_ body: (Int32) throws -> Result) throws -> Result {
    if let spool {
      lseek(spool.descriptor, 0, SEEK_SET)
      return try body(spool.descriptor)
    }
    // Not blocking: opening a pipe that no one writes to would wait for ever.
    let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw DataError(systemCall: "cannot be opened", path: name) }
    defer { close(descriptor) }
    if let kind = Files.otherKind(try Self.status(of: descriptor, name)) {
      throw DataError(
        "is \(kind), not a regular file; text is read from files, from standard input where it is named -, and from "
          + "<(...) of the shell", path: name)
    }
    return try body(descriptor)
  }

  /// The size in bytes, as it lies on the disk.
  ///
  /// - Throws: As `withDescriptor`.
  func size() throws -> Int { try withDescriptor { Int(try Self.status(of: $0, name).st_size) } }

  private static func status(of descriptor: Int32, _ name: String) throws -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw DataError(systemCall: "cannot be examined", path: name)
    }
    return status
  }

  private final class Spool: Sendable {
    let descriptor: Int32

    init(_ input: Int32, named name: String, in directory: String) throws {
      var template = Array("\(directory)/.standard-input-XXXXXX".utf8CString)
      descriptor = mkstemp(&template)
      guard descriptor >= 0 else { throw FileError(directory, "keep \(name) there") }
      unlink(template)
      try Files.forEachBlock(of: input, named: name) {
        try Files.write(Array($0), to: descriptor, path: "\(name), kept in \(directory)")
      }
    }

    deinit { close(descriptor) }
  }
}

extension TextSource {
  /// The texts that `names` stand for, in their order: files, all files in a folder and those below it, the files that a
  /// pattern such as `books/*.txt` means, and `-` for standard input. In folders, what is hidden is left out.
  ///
  /// - Parameters:
  ///   - pattern: What the names of files in folders must match, such as `*.txt`; nil for all.
  ///   - directory: Where there is room for standard input.
  /// - Throws: `DataError` where a folder or pattern stands for nothing, or standard input is named twice; `FileError`
  ///   where a folder cannot be read.
  static func all(_ names: [String], matching pattern: String?, keptIn directory: String) throws
    -> [TextSource]
  {
    try requireOneStandardInput(names)
    return try names.flatMap { name in
      if name == standardInputName { return [try named(name, keptIn: directory)] }
      // The shell has left a pattern as it is where it was quoted, or stands for nothing.
      let paths = Files.exists(name) || !name.contains(where: "*?[".contains) ? [name] : try matches(of: name)
      return try paths.flatMap { path in
        Files.isDirectory(path) ? try files(in: path, matching: pattern) : [path]
      }.map { try named($0, keptIn: directory) }
    }
  }

  /// - Throws: `DataError` where standard input is among these names twice.
  static func requireOneStandardInput(_ names: [String]) throws {
    guard names.count(where: { $0 == standardInputName }) < 2 else {
      throw DataError("standard input (-) is named twice, and can be read only once")
    }
  }

  private static func matches(of pattern: String) throws -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, 0, nil, &found) == 0, let paths = found.gl_pathv else {
      throw DataError("matches no file", path: pattern)
    }
    return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
  }

  private static func files(in folder: String, matching pattern: String?) throws -> [String] {
    var files: [String] = []
    try walk(folder.hasSuffix("/") ? String(folder.dropLast()) : folder) { path, name in
      if pattern.map({ fnmatch($0, name, 0) == 0 }) ?? true { files.append(path) }
    }
    guard !files.isEmpty else {
      throw DataError("a folder without \(pattern.map { "files that match \($0)" } ?? "files")", path: folder)
    }
    return files
  }

  /// Shows all files in a folder and below it to `body`, by name. Links are followed to files, not to folders, which could
  /// lead back.
  private static func walk(_ folder: String, _ body: (_ path: String, _ name: String) -> Void) throws {
    for name in try Files.names(in: folder) where !name.hasPrefix(".") {
      let path = "\(folder)/\(name)"
      var status = stat()
      guard lstat(path, &status) == 0 else { throw DataError(systemCall: "cannot be examined", path: path) }
      let isLink = status.st_mode & S_IFMT == S_IFLNK
      if isLink { stat(path, &status) }
      switch status.st_mode & S_IFMT {
      case S_IFDIR where !isLink: try walk(path, body)
      case S_IFREG: body(path, name)
      case S_IFLNK: body(path, name)  // Leads nowhere, which its opening will tell.
      default: break
      }
    }
  }
}

extension DataError {
  /// The system's refusal, for the reason in `errno`.
  init(systemCall what: String, path: String) {
    self.init("\(what): \(String(cString: strerror(errno)))", path: path)
  }
}
