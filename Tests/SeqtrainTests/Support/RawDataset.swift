import HDF5

/// The parts of a dataset's file, written without a look at them.
struct RawDataset {
  var kind: String? = "dataset"
  var version = 1
  var values = (0..<600).map { UInt8($0 * $0 % 3) }
  var offsets = [0, 250, 600]
  var splits = ["train": [0, 400], "validation": [400, 600]]

  func write(_ path: String) throws {
    let file = try File.create(path)
    if let kind { try file.attributes.set("kind", kind) }
    try file.attributes.set("format_version", version)
    try file.attributes.set("fingerprint", "a fingerprint")
    try file.write("values", values)
    try file.write("offsets", offsets)
    try file.createGroup("splits")
    for (name, ends) in splits { try file.write("splits/\(name)", ends) }
    try file.write("vocabulary", strings: ["a", "b", "c"]).attributes.set("level", "char")
    try file.createGroup("origin").attributes.set("command", "a test")
    try file.close()
  }
}
