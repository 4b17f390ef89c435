import Settings

/// A dataset made from random numbers: a function of the seed and the task's sizes alone.
package protocol SyntheticTask: Sendable {
  /// Its name on the command line.
  static var name: String { get }
  /// What it makes, in a sentence.
  static var abstract: String { get }
  /// Its sizes: properties of the task that may be chosen.
  static var sizes: [Setting<Self>] { get }

  /// The task of the default sizes.
  init()
  /// Checks its sizes against each other.
  ///
  /// - Throws: `DataError`.
  func check() throws
  /// Makes the dataset `output`, whole or not at all.
  ///
  /// - Parameter command: What the dataset says of its origin.
  /// - Throws: `HDF5Error` where `output` exists or cannot be written.
  func write(_ output: String, seed: UInt64, command: String) throws
}

extension SyntheticTask {
  package func check() throws {}

  /// The task of these sizes, each `NAME=VALUE`; the others are left at their defaults.
  ///
  /// - Throws: `ConfigurationError` for a size that there is not, or that is out of range; `DataError` where sizes do not
  ///   go together.
  package init(sizes assignments: [String]) throws {
    self.init()
    let table = SettingTable(Self.sizes)
    for assignment in assignments { try table.set(assignment, in: &self) }
    try check()
  }
}

/// Every task that datasets can be made of: each is a file of its own and a line here.
package enum SyntheticTasks {
  /// In the order in which help lists them.
  package static let all: [any SyntheticTask.Type] = [
    TaleCorpus.self,
    Adding.self,
    Copy.self,
    SelectiveCopy.self,
    Recall.self,
    Parity.self,
    MackeyGlass.self,
    Lorenz.self,
    Sines.self,
    HiddenMarkov.self,
    LinearSystem.self,
    Tagged.self,
    Classes.self,
    CopyPairs.self,
    Reverse.self,
    Sort.self,
    Dates.self,
    Bracket.self,
    GridCaptions.self,
  ]
}
