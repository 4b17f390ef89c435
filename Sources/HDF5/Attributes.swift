import CHDF5

/// The attributes of an object: small named values that explain it.
///
/// Integers are stored as `int64`, numbers as `float64`, truth values as `uint8` (0 or 1), strings as UTF-8 of fixed
/// length. The getters take any type of the same kind, as other programs may have written it: h5py writes strings of
/// variable length.
package struct Attributes: Sendable {
  let object: Object

  /// Whether there is an attribute of this name.
  package func contains(_ name: String) throws -> Bool {
    try object.call("H5Aexists") { H5Aexists(object.id, name) } > 0
  }

  // MARK: Writing

  /// Writes a new attribute.
  package func set(_ name: String, _ value: Int) throws { try write(name, [value], scalar: true) }

  /// Writes a new attribute.
  package func set(_ name: String, _ value: Double) throws { try write(name, [value], scalar: true) }

  /// Writes a new attribute, 0 or 1.
  package func set(_ name: String, _ value: Bool) throws {
    try write(name, [value ? 1 : 0] as [UInt8], scalar: true)
  }

  /// Writes a new attribute.
  package func set(_ name: String, _ values: [Int]) throws { try write(name, values, scalar: false) }

  /// Writes a new attribute.
  package func set(_ name: String, _ values: [Double]) throws { try write(name, values, scalar: false) }

  /// Writes a new attribute.
  ///
  /// - Throws: `HDF5Error` where the string holds U+0000, which the padding would swallow.
  package func set(_ name: String, _ value: String) throws {
    guard !value.utf8.contains(0) else {
      throw object.error("attribute \"\(name)\": a string with U+0000 cannot be stored")
    }
    let bytes = value.isEmpty ? [0] : Array(value.utf8)
    try object.with("H5Tcopy", { H5Tcopy(st_type_string()) }, close: H5Tclose) { type in
      try object.setUTF8(type, size: bytes.count)
      try bytes.withUnsafeBytes { try create(name, $0, { type }, shape: []) }
    }
  }

  /// Removes an attribute, where there is one of this name.
  package func remove(_ name: String) throws {
    guard try contains(name) else { return }
    try object.call("H5Adelete") { H5Adelete(object.id, name) }
  }

  /// Says what the object is and in what units, for whoever looks at the file with h5dump or h5py.
  package func describe(_ description: String, units: String? = nil) throws {
    try set("description", description)
    if let units { try set("units", units) }
  }

  private func write<T: Storable>(_ name: String, _ values: [T], scalar: Bool) throws {
    try values.withUnsafeBytes {
      try create(name, $0, { T.typeID }, shape: scalar ? [] : [hsize_t(values.count)])
    }
  }

  private func create(
    _ name: String, _ bytes: UnsafeRawBufferPointer, _ type: () -> hid_t, shape: [hsize_t]
  ) throws {
    try object.with(
      "H5Screate", { shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, shape, nil) },
      close: H5Sclose,
      { space in
        try object.with(
          "H5Acreate",
          { H5Acreate2(object.id, name, type(), space, hid_t(H5P_DEFAULT), hid_t(H5P_DEFAULT)) },
          close: H5Aclose,
          { attribute in
            guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
            try object.call("H5Awrite") { H5Awrite(attribute, type(), base) }
          })
      })
  }

  // MARK: Reading

  /// A scalar integer.
  ///
  /// - Throws: `HDF5Error` where there is no such attribute, or it is of another kind or shape, or out of range.
  package func integer(_ name: String) throws -> Int { try scalar(name, integers(name)) }

  /// A scalar number; an integer is one too.
  ///
  /// - Throws: `HDF5Error` where there is no such attribute, or it is of another kind or shape.
  package func number(_ name: String) throws -> Double { try scalar(name, numbers(name)) }

  /// A truth value: an integer that is 0 or 1.
  ///
  /// - Throws: `HDF5Error` where there is no such attribute, or it is of another kind, shape or value.
  package func flag(_ name: String) throws -> Bool {
    let value = try integer(name)
    guard value == 0 || value == 1 else { throw failure(name, "expected 0 or 1, found \(value)") }
    return value == 1
  }

  /// All integers of an attribute.
  ///
  /// - Throws: `HDF5Error` where there is no such attribute, or it is of another kind, or out of range.
  package func integers(_ name: String) throws -> [Int] {
    try read(name) { attribute, element, count in
      guard case .integer(let bytes, let signed) = element else {
        throw failure(name, "expected integers, found \(element)")
      }
      let values = try values(of: attribute, as: Int.self, count: count)
      // The one kind that may not fit; the library clips such values to the largest.
      if bytes == 8, !signed, values.contains(.max) { throw failure(name, "holds a value above \(Int.max)") }
      return values
    }
  }

  /// All numbers of an attribute; integers are numbers too.
  ///
  /// - Throws: `HDF5Error` where there is no such attribute, or it is of another kind.
  package func numbers(_ name: String) throws -> [Double] {
    try read(name) { attribute, element, count in
      switch element {
      case .string, .text: throw failure(name, "expected numbers, found \(element)")
      case .float, .integer: break
      }
      return try values(of: attribute, as: Double.self, count: count)
    }
  }

  /// A scalar string.
  ///
  /// - Throws: `HDF5Error` where there is no such attribute, or it is of another kind or shape, or no UTF-8.
  package func string(_ name: String) throws -> String {
    try read(name) { attribute, element, count in
      switch element {
      case .float, .integer: throw failure(name, "expected a string, found \(element)")
      case .string, .text: break
      }
      return try object.with("H5Aget_type", { H5Aget_type(attribute) }, close: H5Tclose) { type in
        try object.with("H5Aget_space", { H5Aget_space(attribute) }, close: H5Sclose) { space in
          try scalar(
            name,
            object.readStrings(element, count: count, type: type, space: space) { buffer in
              try object.call("H5Aread") { H5Aread(attribute, type, buffer) }
            })
        }
      }
    }
  }

  private func failure(_ name: String, _ message: String) -> HDF5Error {
    object.error("attribute \"\(name)\": \(message)")
  }

  private func scalar<T>(_ name: String, _ values: [T]) throws -> T {
    guard let value = values.first, values.count == 1 else {
      throw failure(name, "expected one value, found \(values.count)")
    }
    return value
  }

  private func values<T: Storable & Numeric>(of attribute: hid_t, as type: T.Type, count: Int) throws -> [T] {
    var values = [T](repeating: 0, count: count)
    if count > 0 { try object.call("H5Aread") { H5Aread(attribute, T.typeID, &values) } }
    return values
  }

  /// Opens an attribute and examines it: its kind and the number of its values, which is no more than it stores.
  private func read<Result>(_ name: String, _ body: (hid_t, ElementType, Int) throws -> Result) throws
    -> Result
  {
    guard try contains(name) else {
      throw object.error("has no attribute \"\(name)\", which files of its kind have; make or copy it anew")
    }
    return try object.with(
      "H5Aopen", { H5Aopen(object.id, name, hid_t(H5P_DEFAULT)) }, close: H5Aclose,
      { attribute in
        let element: ElementType
        let count: Int
        do {
          element = try object.with("H5Aget_type", { H5Aget_type(attribute) }, close: H5Tclose) {
            try object.examineType($0)
          }
          let shape = try object.with("H5Aget_space", { H5Aget_space(attribute) }, close: H5Sclose) {
            try object.examineShape($0)
          }
          let bytes = try object.product(of: shape, times: element.size)
          let stored = try object.call("H5Aget_storage_size") {
            Int(clamping: H5Aget_storage_size(attribute))
          }
          guard bytes <= stored, object.file.isWritable || stored <= object.file.size else {
            throw failure(name, "claims \(bytes) bytes but stores \(stored)")
          }
          count = bytes / element.size
        } catch let error as HDF5Error {
          // What is wrong with its type or shape is the attribute's fault, not the object's.
          guard !error.message.hasPrefix("attribute") else { throw error }
          throw failure(name, error.message)
        }
        return try body(attribute, element, count)
      })
  }
}

extension Object {
  /// The object's attributes.
  package var attributes: Attributes { Attributes(object: self) }
}
