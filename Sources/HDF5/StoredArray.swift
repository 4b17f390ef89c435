import CHDF5

/// How a dataset is stored, as far as it matters to readers and has been found harmless.
struct StoredArray {
  var shape: [Int]
  let elementType: ElementType
  /// nil where the dataset is not cut into chunks.
  let chunkShape: [Int]?
}

/// Ceilings on what a file may claim. Far above what we write, and far below what would bring the process down.
private enum Ceiling {
  static let rank = 8
  static let stringBytes = 16 << 20
  static let chunkBytes = 256 << 20
  static let deflatedStringBytes = 1 << 30
  static let filters = 8
  /// No input makes deflate shrink further than this (zlib's documentation: "1032:1").
  static let deflateRatio = 1032
}

private let harmlessFilters: [H5Z_filter_t] = [H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32]

extension Object {
  /// Examines the dataset with this object's identifier before anything of it is read.
  ///
  /// - Throws: `HDF5Error` for elements, storage or filters that this module does not read: virtual datasets and
  ///   external storage (they read other files), variable-length data, filters but deflate, shuffle and fletcher32,
  ///   and sizes that overflow, exceed a ceiling, or claim more than the file holds.
  func examineDataset() throws -> StoredArray {
    let shape = try with("H5Dget_space", { H5Dget_space(id) }, close: H5Sclose) { try examineShape($0) }
    let element = try with("H5Dget_type", { H5Dget_type(id) }, close: H5Tclose) { try examineType($0) }
    let bytes = try product(of: shape, times: element.size)
    let (chunkShape, isDeflated) = try with(
      "H5Dget_create_plist", { H5Dget_create_plist(id) }, close: H5Pclose,
      { try examineStorage($0, rank: shape.count, elementSize: element.size) })

    if !file.isWritable {
      let stored = try call("H5Dget_storage_size") { Int(clamping: H5Dget_storage_size(id)) }
      guard stored <= file.size else {
        throw error("claims \(stored) bytes of storage in a file of \(file.size) bytes")
      }
      guard
        bytes
          <= (isDeflated ? stored.multipliedReportingOverflow(by: Ceiling.deflateRatio).partialValue : stored)
      else { throw error("claims \(bytes) bytes (\(element) \(shape)) but stores \(stored)") }
      if case .string = element, isDeflated { try checkStrings(element, shape) }
    }
    return StoredArray(shape: shape, elementType: element, chunkShape: chunkShape)
  }

  /// Strings are read all at once, so what little room they take deflated must not let them fill the memory.
  private func checkStrings(_ element: ElementType, _ shape: [Int]) throws {
    let bytes = try product(of: shape, times: element.size + MemoryLayout<String>.stride)
    guard bytes <= Ceiling.deflatedStringBytes else {
      throw error(
        "claims strings (\(element) \(shape)) that take \(bytes) bytes of memory; deflated ones may take "
          + "\(Ceiling.deflatedStringBytes)")
    }
  }

  /// The shape of a data space: [] for a scalar.
  func examineShape(_ space: hid_t) throws -> [Int] {
    guard H5Sget_simple_extent_type(space) != H5S_NULL else { throw error("has no data space") }
    let rank = Int(try call("H5Sget_simple_extent_ndims") { H5Sget_simple_extent_ndims(space) })
    guard rank <= Ceiling.rank else {
      throw error("has \(rank) dimensions; at most \(Ceiling.rank) are read")
    }
    var dimensions = [hsize_t](repeating: 0, count: rank)
    try call("H5Sget_simple_extent_dims") { H5Sget_simple_extent_dims(space, &dimensions, nil) }
    return try dimensions.map {
      guard let dimension = Int(exactly: $0) else { throw error("has a dimension of \($0)") }
      return dimension
    }
  }

  /// The kind of the elements of a type.
  func examineType(_ type: hid_t) throws -> ElementType {
    // The library is asked in one call: all of these only look into the type.
    var kind = H5T_NO_CLASS
    var size = 0
    var precision = 0
    var isSigned = false
    var isVariable = false
    var isBoolean = false
    try call("H5Tget_class") {
      kind = H5Tget_class(type)
      size = H5Tget_size(type)
      switch kind {
      case H5T_INTEGER, H5T_FLOAT:
        precision = H5Tget_precision(type)
        isSigned = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2
      case H5T_ENUM: isBoolean = size == 1
      case H5T_STRING: isVariable = H5Tis_variable_str(type) != 0
      default: break
      }
      return kind.rawValue
    }
    switch kind {
    case H5T_INTEGER where [1, 2, 4, 8].contains(size) && precision == 8 * size:
      return .integer(bytes: size, signed: isSigned)
    case H5T_FLOAT where [2, 4, 8].contains(size) && precision == 8 * size: return .float(bytes: size)
    case H5T_STRING where !isVariable && size > 0 && size <= Ceiling.stringBytes: return .string(bytes: size)
    case H5T_STRING where isVariable: return .text
    // As h5py writes truth values: an enumeration of FALSE and TRUE.
    case H5T_ENUM where isBoolean: return .integer(bytes: 1, signed: false)
    default: throw error("holds elements of a kind that is not read; integers, floats and strings are")
    }
  }

  /// The chunks' shape, where there are chunks, and whether deflate is among the filters.
  private func examineStorage(_ properties: hid_t, rank: Int, elementSize: Int) throws -> ([Int]?, Bool) {
    let layout = H5D_layout_t(try call("H5Pget_layout") { H5Pget_layout(properties).rawValue })
    guard [H5D_COMPACT, H5D_CONTIGUOUS, H5D_CHUNKED].contains(layout) else {
      throw error("is a virtual dataset, which would read other files; it is not read")
    }
    guard try call("H5Pget_external_count", { H5Pget_external_count(properties) }) == 0 else {
      throw error("keeps its data in another file; it is not read")
    }
    guard layout == H5D_CHUNKED else { return (nil, false) }

    let filters = Int(try call("H5Pget_nfilters") { H5Pget_nfilters(properties) })
    guard filters <= Ceiling.filters else { throw error("passes \(filters) filters") }
    var isDeflated = false
    for index in 0..<filters {
      let filter = try call("H5Pget_filter") {
        H5Pget_filter2(properties, UInt32(index), nil, nil, nil, 0, nil, nil)
      }
      guard harmlessFilters.contains(filter) else {
        throw error("passes filter \(filter); only deflate, shuffle and fletcher32 are read")
      }
      if filter == H5Z_FILTER_DEFLATE { isDeflated = true }
    }
    var dimensions = [hsize_t](repeating: 0, count: max(rank, 1))
    try call("H5Pget_chunk") { H5Pget_chunk(properties, Int32(dimensions.count), &dimensions) }
    let chunk = dimensions.map { Int(clamping: $0) }
    guard try product(of: chunk, times: elementSize) <= Ceiling.chunkBytes else {
      throw error("has chunks of \(chunk) elements, which is more than \(Ceiling.chunkBytes) bytes each")
    }
    return (chunk, isDeflated)
  }

  /// The product of a shape and a size in bytes. No part of it overflows, even where another dimension is 0.
  func product(of shape: [Int], times size: Int) throws -> Int {
    var bytes = size
    for dimension in shape where dimension > 0 {
      let (next, overflow) = bytes.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw error("claims more elements than memory can have (\(shape))") }
      bytes = next
    }
    return shape.contains(0) ? 0 : bytes
  }
}
