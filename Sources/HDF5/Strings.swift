import CHDF5
import Glibc

extension Group {
  /// Writes a one-dimensional dataset of strings at `path`, stored as UTF-8 padded with zeros to the longest.
  ///
  /// - Throws: `HDF5Error` where a string holds U+0000, which the padding would swallow.
  @discardableResult
  package func write(_ path: String, strings: [String]) throws -> Dataset {
    let size = max(1, strings.lazy.map(\.utf8.count).max() ?? 1)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(strings.count * size)
    for string in strings {
      guard !string.utf8.contains(0) else {
        throw HDF5Error("a string with U+0000 cannot be stored", path: file.path, object: absolute(path))
      }
      bytes += string.utf8
      bytes += repeatElement(0, count: size - string.utf8.count)
    }
    return try with("H5Tcopy", { H5Tcopy(st_type_string()) }, close: H5Tclose) { type in
      try setUTF8(type, size: size)
      let dataset = try createDataset(path, element: .string(bytes: size), shape: [strings.count]) { type }
      if !bytes.isEmpty {
        try dataset.call("H5Dwrite") {
          H5Dwrite(dataset.id, type, hid_t(H5S_ALL), hid_t(H5S_ALL), hid_t(H5P_DEFAULT), bytes)
        }
      }
      return dataset
    }
  }
}

extension Dataset {
  /// All elements of a dataset of strings.
  ///
  /// - Throws: `HDF5Error` where the elements are no strings, or no UTF-8.
  package func readStrings() throws -> [String] {
    try with("H5Dget_type", { H5Dget_type(id) }, close: H5Tclose) { type in
      try with("H5Dget_space", { H5Dget_space(id) }, close: H5Sclose) { space in
        try readStrings(elementType, count: count, type: type, space: space) { buffer in
          try call("H5Dread") {
            H5Dread(id, type, hid_t(H5S_ALL), hid_t(H5S_ALL), hid_t(H5P_DEFAULT), buffer)
          }
        }
      }
    }
  }
}

extension Object {
  /// Makes a copied string type one of `size` bytes of UTF-8, padded with zeros.
  func setUTF8(_ type: hid_t, size: Int) throws {
    try call("H5Tset_size") { H5Tset_size(type, size) }
    try call("H5Tset_strpad") { H5Tset_strpad(type, H5T_STR_NULLPAD) }
    try call("H5Tset_cset") { H5Tset_cset(type, H5T_CSET_UTF8) }
  }

  /// `count` strings of an array or attribute of this type and data space, which `read` reads into memory.
  func readStrings(
    _ element: ElementType, count: Int, type: hid_t, space: hid_t,
    read: (UnsafeMutableRawPointer) throws -> Void
  ) throws -> [String] {
    switch element {
    case .float, .integer: throw error("expected strings, found \(element)")
    case _ where count == 0: return []
    case .string(let size):
      var bytes = [UInt8](repeating: 0, count: count * size)
      try bytes.withUnsafeMutableBytes { buffer in
        if let base = buffer.baseAddress { try read(base) }
      }
      return try strings(in: bytes, size: size, type: type)
    case .text:
      let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count)
      pointers.initialize(repeating: nil, count: count)
      defer { pointers.deallocate() }
      try read(pointers)
      // The library has allocated each of them.
      defer { Library.quietly { H5Dvlen_reclaim(type, space, hid_t(H5P_DEFAULT), pointers) } }
      return try (0..<count).map { index in
        guard let pointer = pointers[index] else { return "" }
        let bytes = UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) }
        return try string(bytes, index)
      }
    }
  }

  private func string(_ bytes: some Collection<UInt8>, _ index: Int) throws -> String {
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw error("string \(index) is not valid UTF-8")
    }
    return string
  }

  /// The strings of `size` bytes each, freed from the padding of `type`.
  func strings(in bytes: [UInt8], size: Int, type: hid_t) throws -> [String] {
    let padding = try call("H5Tget_strpad") { H5Tget_strpad(type).rawValue }
    return try stride(from: 0, to: bytes.count, by: size).map { start in
      var content = bytes[start..<start + size]
      if padding == H5T_STR_SPACEPAD.rawValue {
        while content.last == UInt8(ascii: " ") { content.removeLast() }
      } else {
        content = content.prefix { $0 != 0 }
      }
      return try string(content, start / size)
    }
  }
}
