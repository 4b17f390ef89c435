extension ModelConfiguration {
  /// The first kind of layer that chunks can't be cut for into blocks of time steps, why, and the kinds that they can be.
  package var obstacleToTimeBlocks: (layer: String, reason: String, others: [String])? {
    for name in cell.names {
      guard let reason = Catalog.layer(name)?.obstacleToTimeBlocks else { continue }
      return (name, reason, Catalog.layers.filter { $0.obstacleToTimeBlocks == nil }.map { $0.name })
    }
    return nil
  }

  /// The setting by which a layer reads the most inputs at a time, and how many; nil where none reads other steps' inputs.
  package var longestWindow: (setting: String, inputs: Int)? {
    cell.names.compactMap { name in
      Catalog.layer(name)?.window(self).map { ("model.\(name).\($0.setting)", $0.inputs) }
    }.max { $0.1 < $1.1 }
  }
}
