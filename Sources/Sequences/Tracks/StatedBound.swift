/// A number that a dataset states of each split: a mean over its targets.
package struct StatedBound: Sendable, Equatable {
  /// Its name in files.
  package let name: String
  /// What it is.
  package let meaning: String

  /// A bound of this name and meaning.
  package init(_ name: String, _ meaning: String) {
    self.name = name
    self.meaning = meaning
  }
}
