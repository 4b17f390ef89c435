import Glibc

extension Files {
  /// The last part of a path.
  package static func name(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? ""
  }

  /// The directory that holds a path.
  package static func directory(of path: String) -> String {
    let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  /// The same file's path from the root, through no links but perhaps its own.
  package static func absolute(_ path: String) -> String {
    if isDirectory(path), let resolved = resolve(path) { return resolved }
    if let directory = resolve(directory(of: path)) {
      return "\(directory == "/" ? "" : directory)/\(name(of: path))"
    }
    return path.hasPrefix("/") ? path : "\(resolve(".") ?? ".")/\(path)"
  }

  /// How to get from a directory to a file, both given from the root.
  package static func relative(_ path: String, from directory: String) -> String {
    let (parts, base) = (path.split(separator: "/"), directory.split(separator: "/"))
    let common = zip(parts, base).prefix { $0 == $1 }.count
    return (base.dropFirst(common).map { _ in ".." } + parts.dropFirst(common)).joined(separator: "/")
  }

  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
