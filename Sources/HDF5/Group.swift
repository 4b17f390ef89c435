import CHDF5

/// A group: a folder of groups and datasets.
///
/// Paths are relative to the group and separated by slashes; a leading slash is not allowed. Only hard links are
/// followed: a soft or an external link, which a file could use to reach other files, is an error.
package class Group: Object, @unchecked Sendable {
  deinit {
    // The root group's identifier is the file's own.
    if id != file.id, file.isOpen { Library.quietly { H5Gclose(id) } }
  }

  /// Whether hard links lead to an object at `path`.
  package func exists(_ path: String) throws -> Bool {
    for prefix in try prefixes(of: path) {
      guard try call("H5Lexists", { H5Lexists(id, prefix, hid_t(H5P_DEFAULT)) }) > 0 else { return false }
      try requireHardLink(prefix)
    }
    return true
  }

  /// The group at `path`.
  ///
  /// - Throws: `HDF5Error` where there is none.
  package func group(_ path: String) throws -> Group {
    try requireObject(path, "group")
    let child = try call("H5Gopen", on: absolute(path), { H5Gopen2(id, path, hid_t(H5P_DEFAULT)) })
    return Group(id: child, file: file, name: absolute(path))
  }

  /// The dataset at `path`, checked as `Dataset` says.
  ///
  /// - Throws: `HDF5Error` where there is none, or one that this module does not read.
  package func dataset(_ path: String) throws -> Dataset {
    try requireObject(path, "dataset")
    let child = try call("H5Dopen", on: absolute(path), { H5Dopen2(id, path, hid_t(H5P_DEFAULT)) })
    return try Dataset(opened: child, file: file, name: absolute(path))
  }

  /// Makes a group at `path`, and the groups above it that do not exist.
  @discardableResult
  package func createGroup(_ path: String) throws -> Group {
    let child = try withLinkCreation { links in
      try with(
        "H5Pcreate", { H5Pcreate(st_class_group_create()) }, close: H5Pclose,
        { properties in
          // No times: the same content makes the same bytes.
          try call("H5Pset_obj_track_times") { H5Pset_obj_track_times(properties, false) }
          return try call("H5Gcreate", on: absolute(path)) {
            H5Gcreate2(id, path, links, properties, hid_t(H5P_DEFAULT))
          }
        })
    }
    return Group(id: child, file: file, name: absolute(path))
  }

  /// The names of the group's links, in ascending order of their bytes.
  package func childNames() throws -> [String] {
    var names: [String] = []
    try withUnsafeMutablePointer(to: &names) { names in
      _ = try call("H5Literate") {
        st_each_link(
          id,
          { name, _, context in
            guard let name, let context else { return }
            context.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name))
          }, names)
      }
    }
    return names
  }

  /// The paths, relative to this group, of all datasets that hard links lead to from it, each once, in order.
  package func datasetPaths() throws -> [String] {
    var paths: [String] = []
    try withUnsafeMutablePointer(to: &paths) { paths in
      _ = try call("H5Ovisit") {
        st_each_object(
          id,
          { name, kind, context in
            guard kind == 1, let name, let context else { return }
            context.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name))
          }, paths)
      }
    }
    return paths
  }

  /// `path` from the file's root.
  func absolute(_ path: String) -> String { name == "/" ? "/\(path)" : "\(name)/\(path)" }

  /// Link creation that makes the groups above where they are missing.
  func withLinkCreation<Result>(_ body: (hid_t) throws -> Result) throws -> Result {
    try with(
      "H5Pcreate", { H5Pcreate(st_class_link_create()) }, close: H5Pclose,
      { links in
        try call("H5Pset_create_intermediate_group") { H5Pset_create_intermediate_group(links, 1) }
        try call("H5Pset_char_encoding") { H5Pset_char_encoding(links, H5T_CSET_UTF8) }
        return try body(links)
      })
  }

  private func requireObject(_ path: String, _ kind: String) throws {
    guard try exists(path) else {
      throw error("has no \(kind) \"\(path)\", which files of its kind have; make or copy it anew")
    }
  }

  private func requireHardLink(_ path: String) throws {
    if try call("H5Lget_info", { st_link_is_hard(id, path) }) == 0 {
      throw HDF5Error(
        "is a soft, external or user-defined link; only hard links are followed", path: file.path,
        object: absolute(path))
    }
  }

  /// `a`, `a/b`, `a/b/c` for `a/b/c`.
  private func prefixes(of path: String) throws -> [String] {
    let components = path.split(separator: "/", omittingEmptySubsequences: false)
    guard components.allSatisfy({ !$0.isEmpty && $0 != "." }) else {
      throw error("\"\(path)\" is not a path relative to a group")
    }
    return components.indices.map { components[...$0].joined(separator: "/") }
  }
}
