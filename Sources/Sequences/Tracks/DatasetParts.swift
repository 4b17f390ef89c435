import Chunks
import HDF5

// What a file lacks for a dataset, if another program has made it.

extension DatasetFormat {
  /// The version of the format in which a dataset is written; of one that is not sealed, the version of its parts.
  ///
  /// - Throws: `HDF5Error` where it is no dataset, `DataError` that names all parts that it lacks.
  static func requireParts(of file: File, isSealed: Bool) throws -> Int {
    let kind = try file.kind()
    let tracks = try TrackRole.allCases.filter { try file.exists($0.name) }
    let known = try [values, offsets, splits, vocabulary].filter { try file.exists($0) }
    var others = try otherTracks.filter { try file.exists($0) }
    let hasSource = try file.exists(source)
    // A file that is nothing like a dataset.
    if kind.map({ $0 != format.kind }) ?? (known.isEmpty && tracks.isEmpty && others.isEmpty && !hasSource) {
      _ = try format.requireVersion(of: file)
    }
    let version =
      try kind != nil && file.attributes.contains("format_version")
      ? format.requireVersion(of: file) : tracks.isEmpty ? 1 : 2
    if version == 1, hasSource { others.append(source) }
    guard others.isEmpty else {
      throw DataError(
        "has \(others.map { "/\($0)" }.joined(separator: ", ")); tracks are groups named input, target, weight, initial and "
          + "source, with their values: /input/values", path: file.filePath)
    }
    if version == 1, known.contains(values) { try requireTokens(file.dataset(values)) }
    var missing =
      try (version == 1 ? [values, offsets, splits, vocabulary] : [offsets, splits])
      .filter { !known.contains($0) }.map { "/\($0)" }
      + (version == 1 ? [] : missingParts(of: tracks.map(\.name) + (hasSource ? [source] : []), file))
    if version == 1, known.contains(vocabulary) {
      missing += try missingLevel(of: file.dataset(vocabulary))
    }
    let seals = isSealed ? try Self.seals.filter { try !file.attributes.contains($0) } : []
    guard !missing.isEmpty || !seals.isEmpty else { return version }
    var sentences: [String] = []
    if !missing.isEmpty { sentences.append("add \(missing.joined(separator: ", "))") }
    if !seals.isEmpty {
      let names = seals.map { "\"\($0)\"" }.joined(separator: ", ")
      sentences.append(
        "write the \(seals.count == 1 ? "attribute" : "attributes") \(names) by: seqtrain data seal \(file.filePath)"
      )
    }
    throw DataError("is not a whole dataset: \(sentences.joined(separator: "; then "))", path: file.filePath)
  }

  private static func missingParts(of tracks: [String], _ file: File) throws -> [String] {
    var missing = tracks.contains(TrackRole.input.name) ? [] : ["/input/values"]
    for name in tracks {
      let group = try file.group(name)
      if try name == source && !group.exists(offsets) { missing.append("/\(sourceOffsets)") }
      guard try group.exists(TrackFormat.values) else {
        missing.append("/\(name)/values")
        continue
      }
      let kind =
        try group.attributes.contains(TrackFormat.kind) ? group.attributes.string(TrackFormat.kind) : nil
      guard case .integer = try group.dataset(TrackFormat.values).elementType, kind ?? "tokens" == "tokens"
      else { continue }
      if try group.exists(TrackFormat.vocabulary) {
        missing += try missingLevel(of: group.dataset(TrackFormat.vocabulary))
      } else {
        missing.append(
          "/\(name)/vocabulary (or the attribute \"kind\" of /\(name): frames, where its numbers are quantities)"
        )
      }
    }
    return missing
  }

  private static func missingLevel(of vocabulary: Dataset) throws -> [String] {
    guard try !vocabulary.attributes.contains(level) else { return [] }
    let levels = (vocabulary.name == "/vocabulary" ? TokenLevel.ofText : TokenLevel.allCases).map(\.rawValue)
    return ["the attribute \"\(level)\" of \(vocabulary.name) (\(levels.joined(separator: ", ")))"]
  }

  private static func requireTokens(_ values: Dataset) throws {
    if values.shape.count == 1, case .integer = values.elementType { return }
    throw DataError(
      "/values holds \(values.elementType) in shape \(values.shape), but only tokens may stand there: whole numbers in one "
        + "dimension; frames belong in /input/values", path: values.filePath)
  }
}
