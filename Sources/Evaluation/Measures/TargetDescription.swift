/// What an evaluation knows of the targets besides their track: how they are named and scaled.
package struct TargetDescription: Sendable, Equatable {
  /// A unit of frames. A number x of a chunk stands for `mean` + `scale` x in the data.
  package struct Unit: Sendable, Equatable {
    package var name: String
    /// What it is measured in; empty where that is unknown.
    package var unit = ""
    package var mean = 0.0
    package var scale = 1.0

    package init(name: String, unit: String = "", mean: Double = 0, scale: Double = 1) {
      self.name = name
      self.unit = unit
      self.mean = mean
      self.scale = scale
    }
  }

  /// The names of labels by number; empty where targets are the tokens of a text, or frames.
  package var labels: [String]
  /// The units of frames in their order; empty where nothing is known of them.
  package var units: [Unit]

  package init(labels: [String] = [], units: [Unit] = []) {
    self.labels = labels
    self.units = units
  }

  /// A unit by its number.
  func unit(_ index: Int) -> Unit { index < units.count ? units[index] : Unit(name: "\(index)") }
}
