import CHDF5
import Preconditions

/// The sizes that decide how a dataset is stored.
private enum Storage {
  /// Up to this many bytes lie with the dataset's header, which carries a checksum.
  static let compactBytes = 10 << 10
  /// What a chunk of anything larger has, about. Each carries a checksum (fletcher32).
  static let chunkBytes = 256 << 10
  static let deflateLevel: UInt32 = 4
}

extension Group {
  /// Makes a dataset at `path`, and the groups above it that do not exist; its elements are still to be written.
  ///
  /// - Parameters:
  ///   - shape: the dimensions; [] makes a scalar.
  ///   - growing: whether `Dataset.append` can make it longer along the first dimension.
  ///   - compressed: whether its chunks are shuffled and deflated.
  package func createDataset<T: Storable>(
    _ path: String, of type: T.Type, shape: [Int], growing: Bool = false, compressed: Bool = false
  ) throws -> Dataset {
    try createDataset(
      path, element: type.elementType, shape: shape, growing: growing, compressed: compressed, { type.typeID }
    )
  }

  /// Writes a new dataset at `path`; see `createDataset` for the parameters.
  @discardableResult
  package func write<T: Storable>(
    _ path: String, _ buffer: UnsafeBufferPointer<T>, shape: [Int], compressed: Bool = false
  ) throws -> Dataset {
    precondition(shape.reduce(1, *) == buffer.count, "\(path): \(buffer.count) elements in shape \(shape)")
    let dataset = try createDataset(path, of: T.self, shape: shape, compressed: compressed)
    try dataset.write(buffer)
    return dataset
  }

  /// Writes a new dataset at `path`, of one dimension unless `shape` says otherwise.
  @discardableResult
  package func write<T: Storable>(
    _ path: String, _ array: [T], shape: [Int]? = nil, compressed: Bool = false
  ) throws -> Dataset {
    try array.withUnsafeBufferPointer {
      try write(path, $0, shape: shape ?? [array.count], compressed: compressed)
    }
  }

  func createDataset(
    _ path: String, element: ElementType, shape: [Int], growing: Bool = false, compressed: Bool = false,
    _ type: () -> hid_t
  ) throws -> Dataset {
    precondition(!growing || !shape.isEmpty, "\(path): a scalar does not grow")
    let dimensions = shape.map { hsize_t($0) }
    var limits = dimensions
    if growing { limits[0] = st_unlimited() }
    let child = try with(
      "H5Screate",
      {
        shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), dimensions, limits)
      }, close: H5Sclose,
      { space in
        try withStorage(element, shape: shape, growing: growing, compressed: compressed) { properties in
          try withLinkCreation { links in
            try call("H5Dcreate", on: absolute(path)) {
              H5Dcreate2(id, path, type(), space, links, properties, hid_t(H5P_DEFAULT))
            }
          }
        }
      })
    return try Dataset(opened: child, file: file, name: absolute(path))
  }

  private func withStorage<Result>(
    _ element: ElementType, shape: [Int], growing: Bool, compressed: Bool, _ body: (hid_t) throws -> Result
  ) throws -> Result {
    try with("H5Pcreate", { H5Pcreate(st_class_dataset_create()) }, close: H5Pclose) { properties in
      try call("H5Pset_obj_track_times") { H5Pset_obj_track_times(properties, false) }
      if !growing, shape.reduce(element.size, *) <= Storage.compactBytes {
        try call("H5Pset_layout") { H5Pset_layout(properties, H5D_COMPACT) }
      } else {
        let chunk = chunkShape(of: shape, elementSize: element.size, growing: growing).map { hsize_t($0) }
        try call("H5Pset_chunk") { H5Pset_chunk(properties, Int32(chunk.count), chunk) }
        if compressed {
          try call("H5Pset_shuffle") { H5Pset_shuffle(properties) }
          try call("H5Pset_deflate") { H5Pset_deflate(properties, Storage.deflateLevel) }
        }
        try call("H5Pset_fletcher32") { H5Pset_fletcher32(properties) }
      }
      return try body(properties)
    }
  }
}

/// The largest whole rows, or parts of one, that fit a chunk.
func chunkShape(of shape: [Int], elementSize: Int, growing: Bool) -> [Int] {
  var budget = max(1, Storage.chunkBytes / elementSize)
  var chunk = shape
  for axis in shape.indices.reversed() {
    let whole = growing && axis == 0 ? budget : max(1, shape[axis])
    chunk[axis] = max(1, min(whole, budget))
    budget /= chunk[axis]
  }
  return chunk
}
