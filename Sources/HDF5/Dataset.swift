import CHDF5
import Preconditions
import Synchronization

/// An array in a file: elements of one type in a shape of up to eight dimensions, row-major.
///
/// Rows are counted along the first dimension; of a one-dimensional dataset they are its elements. A dataset may be
/// read from several threads.
package final class Dataset: Object, @unchecked Sendable {
  private let stored: Mutex<StoredArray>

  /// Takes over the identifier `id`; closes it where the dataset is refused.
  init(opened id: hid_t, file: OpenFile, name: String) throws {
    let object = Object(id: id, file: file, name: name)
    do { stored = Mutex(try object.examineDataset()) } catch {
      Library.quietly { H5Dclose(id) }
      throw error
    }
    super.init(id: id, file: file, name: name)
  }

  deinit {
    if file.isOpen { Library.quietly { H5Dclose(id) } }
  }

  /// The dimensions; [] for a scalar.
  package var shape: [Int] { stored.withLock { $0.shape } }

  /// The kind of the elements.
  package var elementType: ElementType { stored.withLock { $0.elementType } }

  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// The number of rows; 1 for a scalar.
  package var rowCount: Int { shape.first ?? 1 }

  /// The number of elements in a row.
  package var rowSize: Int { shape.dropFirst().reduce(1, *) }

  /// - Throws: `HDF5Error` with both shapes where the dataset has another one.
  package func require(shape expected: [Int]) throws {
    guard shape == expected else { throw error("expected shape \(expected), found \(shape)") }
  }

  /// - Throws: `HDF5Error` where the dataset has another number of dimensions.
  package func require(rank: Int) throws {
    guard shape.count == rank else { throw error("expected \(rank) dimensions, found shape \(shape)") }
  }

  // MARK: Reading

  /// Reads all elements into `buffer`, which has just as many.
  ///
  /// The library converts from the type in the file where it is another one.
  /// - Throws: `HDF5Error` where the numbers differ, a value does not fit `T` (a fraction into an integer, or out of its
  ///   range), or a checksum shows damage.
  package func read<T: Storable>(into buffer: UnsafeMutableBufferPointer<T>) throws {
    try read(rows: 0..<rowCount, into: buffer)
  }

  /// Reads a range of rows into `buffer`, which has just as many elements; as `read(into:)` else.
  package func read<T: Storable>(rows: Range<Int>, into buffer: UnsafeMutableBufferPointer<T>) throws {
    let (shape, elementType) = stored.withLock { ($0.shape, $0.elementType) }
    try check(rows: rows, of: shape, against: buffer.count)
    guard let base = buffer.baseAddress, !buffer.isEmpty else { return }
    switch elementType {
    case .string, .text: throw error("expected \(T.elementType), found strings")
    case .float, .integer: break
    }
    try withSelection(rows: rows, of: shape) { memory, selected in
      if elementType == T.elementType {
        try call("H5Dread") { H5Dread(id, T.typeID, memory, selected, hid_t(H5P_DEFAULT), base) }
      } else {
        try readConverting(into: base, memory, selected, from: elementType)
      }
    }
  }

  /// All elements, as `read(into:)` reads them.
  package func readArray<T: Storable>(of type: T.Type = T.self) throws -> [T] {
    try readArray(of: type, rows: 0..<rowCount)
  }

  /// A range of rows, as `read(rows:into:)` reads them.
  package func readArray<T: Storable>(of type: T.Type = T.self, rows: Range<Int>) throws -> [T] {
    let count = rows.count * rowSize
    return try [T](unsafeUninitializedCapacity: count) { buffer, initialized in
      try read(rows: rows, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }

  private func readConverting<T: Storable>(
    into base: UnsafeMutablePointer<T>, _ memory: hid_t, _ selected: hid_t, from elementType: ElementType
  ) throws {
    var isUnfit = false
    try withUnsafeMutablePointer(to: &isUnfit) { isUnfit in
      do {
        try with("H5Pcreate", { H5Pcreate(st_class_dataset_transfer()) }, close: H5Pclose) { transfer in
          try call("H5Pset_type_conv_cb") { H5Pset_type_conv_cb(transfer, abortUnlessRounding, isUnfit) }
          try call("H5Dread") { H5Dread(id, T.typeID, memory, selected, transfer, base) }
        }
      } catch {
        guard isUnfit.pointee else { throw error }
        throw self.error("holds \(elementType) with a value that does not fit \(T.elementType)")
      }
    }
  }

  /// Reads the dataset through, block by block, so that every checksum is checked.
  package func verify() throws {
    let stored = stored.withLock { $0 }
    if stored.elementType == .text {
      _ = try readStrings()
      return
    }
    let rowBytes = try product(of: Array(stored.shape.dropFirst()), times: stored.elementType.size)
    guard rowBytes > 0, rowCount > 0 else { return }
    let chunkRows = stored.chunkShape?.first ?? 1
    let blockRows = min(rowCount, chunkRows * max(1, (1 << 20) / rowBytes / chunkRows))
    let block = UnsafeMutableRawPointer.allocate(byteCount: blockRows * rowBytes, alignment: 16)
    defer { block.deallocate() }
    try with("H5Dget_type", { H5Dget_type(id) }, close: H5Tclose) { type in
      for first in stride(from: 0, to: rowCount, by: blockRows) {
        let rows = first..<min(first + blockRows, rowCount)
        try withSelection(rows: rows, of: stored.shape) { memory, selected in
          _ = try call("H5Dread") { H5Dread(id, type, memory, selected, hid_t(H5P_DEFAULT), block) }
        }
      }
    }
  }

  // MARK: Writing

  /// Writes all elements.
  package func write<T: Storable>(_ buffer: UnsafeBufferPointer<T>) throws {
    try write(buffer, rows: 0..<rowCount)
  }

  /// Writes a range of rows that exist.
  ///
  /// - Throws: `HDF5Error` where the numbers or the types differ, or the system cannot write (a full disk).
  package func write<T: Storable>(_ buffer: UnsafeBufferPointer<T>, rows: Range<Int>) throws {
    let (shape, elementType) = stored.withLock { ($0.shape, $0.elementType) }
    precondition(elementType == T.elementType, "\(name) holds \(elementType), not \(T.elementType)")
    try check(rows: rows, of: shape, against: buffer.count)
    guard let base = buffer.baseAddress, !buffer.isEmpty else { return }
    try withSelection(rows: rows, of: shape) { memory, selected in
      _ = try call("H5Dwrite") { H5Dwrite(id, T.typeID, memory, selected, hid_t(H5P_DEFAULT), base) }
    }
  }

  /// Makes a growing dataset longer by the rows in `buffer`.
  ///
  /// - Throws: `HDF5Error` where the dataset does not grow, or the system cannot write (a full disk).
  package func append<T: Storable>(_ buffer: UnsafeBufferPointer<T>) throws {
    let rowSize = rowSize
    precondition(
      rowSize > 0 && buffer.count % rowSize == 0, "\(buffer.count) elements are no rows of \(rowSize)")
    guard !buffer.isEmpty else { return }
    var shape = shape
    let first = shape[0]
    shape[0] += buffer.count / rowSize
    let dimensions = shape.map { hsize_t($0) }
    try call("H5Dset_extent") { H5Dset_extent(id, dimensions) }
    stored.withLock { $0.shape = shape }
    try write(buffer, rows: first..<shape[0])
  }

  /// Writes all elements.
  package func write<T: Storable>(_ array: [T]) throws { try array.withUnsafeBufferPointer(write) }

  /// Makes a growing dataset longer by the rows in `array`.
  package func append<T: Storable>(_ array: [T]) throws { try array.withUnsafeBufferPointer(append) }

  // MARK: Selections

  private func check(rows: Range<Int>, of shape: [Int], against count: Int) throws {
    let rowCount = shape.first ?? 1
    guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
      throw error("rows \(rows) were asked of the \(rowCount) there are")
    }
    let expected = rows.count * shape.dropFirst().reduce(1, *)
    guard expected == count else {
      throw error("expected \(count) elements, found \(expected) (shape \(shape))")
    }
  }

  /// Lends the data spaces of a packed buffer and of these rows in the file.
  private func withSelection(rows: Range<Int>, of shape: [Int], _ body: (hid_t, hid_t) throws -> Void) throws
  {
    guard rows.count != shape.first, !shape.isEmpty else { return try body(hid_t(H5S_ALL), hid_t(H5S_ALL)) }
    var start = [hsize_t](repeating: 0, count: shape.count)
    var count = shape.map { hsize_t($0) }
    start[0] = hsize_t(rows.lowerBound)
    count[0] = hsize_t(rows.count)
    try with("H5Dget_space", { H5Dget_space(id) }, close: H5Sclose) { selected in
      try call("H5Sselect_hyperslab") {
        H5Sselect_hyperslab(selected, H5S_SELECT_SET, start, nil, count, nil)
      }
      try with(
        "H5Screate_simple", { H5Screate_simple(Int32(count.count), count, nil) }, close: H5Sclose,
        { try body($0, selected) })
    }
  }
}

/// Ends a conversion at the first value that the target cannot hold; rounding is no reason.
private func abortUnlessRounding(
  exception: H5T_conv_except_t, source: hid_t, target: hid_t, from: UnsafeMutableRawPointer?,
  to: UnsafeMutableRawPointer?, isUnfit: UnsafeMutableRawPointer?
) -> H5T_conv_ret_t {
  if exception == H5T_CONV_EXCEPT_PRECISION { return H5T_CONV_UNHANDLED }
  isUnfit?.assumingMemoryBound(to: Bool.self).pointee = true
  return H5T_CONV_ABORT
}
