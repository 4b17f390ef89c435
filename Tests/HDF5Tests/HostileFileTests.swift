import CHDF5
import HDF5
import TestSupport
import Testing

/// Files that were made to do what a data file should not: to read other files, or to bring the process down. They are
/// written by the C library itself.
@Suite struct HostileFileTests {
  /// Makes a file by C calls on its identifier, then opens it as we do.
  private func with(_ make: (hid_t) -> herr_t, _ check: (File, String) throws -> Void) throws {
    try withTemporaryDirectory { directory throws in
      let path = "\(directory)/hostile.h5"
      try Library.call("making a hostile file", path: path) {
        let file = H5Fcreate(path, st_create_exclusively(), 0, 0)
        let status = make(file)
        return min(H5Fclose(file), status)
      }
      try check(try File.open(path), path)
    }
  }

  /// Makes a dataset "x" of floats.
  private func makeDataset(
    _ file: hid_t, dimensions: [hsize_t] = [4], type: hid_t = st_type_float(),
    _ configure: (hid_t) -> herr_t = { _ in 0 }
  ) -> herr_t {
    let properties = H5Pcreate(st_class_dataset_create())
    let space = H5Screate_simple(Int32(dimensions.count), dimensions, nil)
    guard configure(properties) >= 0 else { return -1 }
    let dataset = H5Dcreate2(file, "x", type, space, 0, properties, 0)
    H5Sclose(space)
    H5Pclose(properties)
    return H5Dclose(dataset)
  }

  @Test func linksToElsewhere() throws {
    try with { file in
      let group = H5Gcreate2(file, "g", 0, 0, 0)
      return [
        H5Gclose(group), H5Lcreate_soft("/g", file, "soft", 0, 0),
        H5Lcreate_external("/etc/passwd", "/", file, "external", 0, 0),
        H5Lcreate_soft("/none", file, "dangling", 0, 0),
        H5Lcreate_hard(file, "/", file, "g/up", 0, 0),
      ].min() ?? 0
    } _: { file, path throws in
      for name in ["soft", "external", "dangling"] {
        expectError(path, "/\(name)", "only hard links") { _ = try file.group(name) }
        expectError(path, "/\(name)", "only hard links") { _ = try file.dataset("\(name)/x") }
      }
      // A group that holds its own parent has no end, and yet is walked.
      #expect(try file.datasetPaths() == [])
      #expect(try file.group("g/up/g/up").childNames() == ["dangling", "external", "g", "soft"])
      try file.verify()
    }
  }

  @Test func dataInOtherFiles() throws {
    try with { file in
      makeDataset(file) { H5Pset_external($0, "/etc/passwd", 0, 16) }
    } _: { file, path throws in
      expectError(path, "/x", "another file") { _ = try file.dataset("x") }
      expectError(path, "/x", "another file") { try file.verify() }
    }
    try with { file in
      makeDataset(file) {
        let source = H5Screate_simple(1, [4], nil)
        defer { H5Sclose(source) }
        return H5Pset_virtual($0, source, "/etc/passwd", "x", source)
      }
    } _: { file, path throws in
      expectError(path, "/x", "virtual") { _ = try file.dataset("x") }
    }
  }

  /// Deflate lets a small file hold far more padding than memory should be given to.
  @Test func `deflated strings that would fill the memory are refused`() throws {
    for (size, count) in [(1 << 16, 1 << 15), (1, 1 << 27)] {
      let chunk = min(count, (1 << 23) / size)
      try with { file in
        let type = H5Tcopy(st_type_string())
        H5Tset_size(type, size)
        let made = makeDataset(file, dimensions: [hsize_t(count)], type: type) {
          [H5Pset_chunk($0, 1, [hsize_t(chunk)]), H5Pset_deflate($0, 9)].min() ?? 0
        }
        let dataset = H5Dopen2(file, "x", 0)
        let status = H5Dwrite(
          dataset, type, hid_t(H5S_ALL), hid_t(H5S_ALL), 0, [UInt8](repeating: 0, count: size * count))
        return [made, status, H5Dclose(dataset), H5Tclose(type)].min() ?? 0
      } _: { file, path throws in
        expectError(path, "/x", "deflated ones may take") { _ = try file.dataset("x") }
      }
    }
  }

  /// A few bytes that claim to be terabytes.
  @Test(
    arguments: [
      [1 << 40], [1 << 33, 1 << 33], [1 << 62, 2], [0, 1 << 40, 1 << 40],
    ] as [[hsize_t]])
  func sizesThatAreNotThere(dimensions: [hsize_t]) throws {
    let chunk = dimensions.map { max(1, min($0, 4)) }
    try with { file in
      makeDataset(file, dimensions: dimensions) { H5Pset_chunk($0, Int32(chunk.count), chunk) }
    } _: { file, path throws in
      expectError(path, "/x", "claims") { _ = try file.dataset("x") }
    }
  }

  @Test func dataThatWasNeverWritten() throws {
    try with { file in
      makeDataset(file, dimensions: [1_000_000])
    } _: { file, path throws in
      expectError(path, "/x", "claims 4000000 bytes", "stores 0") { _ = try file.dataset("x") }
    }
  }

  @Test func filtersThatRunOtherCode() throws {
    try with { file in
      makeDataset(file, type: st_type_int32()) {
        min(H5Pset_chunk($0, 1, [4]), H5Pset_scaleoffset($0, H5Z_SO_INT, 0))
      }
    } _: { file, path throws in
      expectError(path, "/x", "filter 6") { _ = try file.dataset("x") }
    }
  }

  @Test func chunksBeyondReason() throws {
    try with { file in
      makeDataset(file, dimensions: [1 << 28]) { H5Pset_chunk($0, 1, [1 << 28]) }
    } _: { file, path throws in
      expectError(path, "/x", "chunks") { _ = try file.dataset("x") }
    }
  }

  @Test func elementsAndShapesThatAreNotRead() throws {
    try with { file in
      let type = H5Tcopy(st_type_string())
      H5Tset_size(type, -1)  // H5T_VARIABLE
      let space = H5Screate(H5S_SCALAR)
      let attribute = H5Acreate2(file, "kind", type, space, 0, 0)
      H5Aclose(attribute)
      return makeDataset(file, type: type)
    } _: { file, path throws in
      // Strings that nobody has written are empty, and no numbers.
      #expect(try file.attributes.string("kind") == "")
      expectError(path, "/x") { _ = try file.dataset("x").readArray(of: Float.self) }
      expectError(path, "\"kind\"", "expected integers") { _ = try file.attributes.integer("kind") }
    }
    try with { file in
      let type = H5Tcreate(H5T_COMPOUND, 8)
      H5Tinsert(type, "a", 0, st_type_float())
      return makeDataset(file, type: type)
    } _: { file, path throws in
      expectError(path, "/x", "of a kind that is not read") { _ = try file.dataset("x") }
    }
    try with { file in
      makeDataset(file, dimensions: [hsize_t](repeating: 1, count: 9))
    } _: { file, path throws in
      expectError(path, "/x", "9 dimensions") { _ = try file.dataset("x") }
    }
    try with { file in
      let space = H5Screate(H5S_NULL)
      let dataset = H5Dcreate2(file, "x", st_type_float(), space, 0, 0, 0)
      return H5Dclose(dataset)
    } _: { file, path throws in
      expectError(path, "/x", "no data space") { _ = try file.dataset("x") }
    }
  }

  @Test func stringsThatAreNoUTF8() throws {
    try with { file in
      let type = H5Tcopy(st_type_string())
      H5Tset_size(type, 2)
      let space = H5Screate(H5S_SCALAR)
      let attribute = H5Acreate2(file, "kind", type, space, 0, 0)
      let status = H5Awrite(attribute, type, [0xc3, 0x28] as [UInt8])
      return min(status, H5Aclose(attribute))
    } _: { file, path throws in
      expectError(path, "not valid UTF-8") { _ = try file.attributes.string("kind") }
    }
  }
}
