import Chunks

/// What a model is trained for: turns the head's outputs into losses and, in training, into their gradient.
///
/// Losses are in nats where they are likelihoods, summed over the units of a position. Each is multiplied by the weight of
/// its position; nothing is divided by the sum of weights here.
package protocol Objective: AnyObject {
  /// Its name in settings.
  static var name: String { get }
  /// The settings that only this objective has, by their keys in `model`.
  static var settings: [String] { get }
  /// What its predictions are judged by, besides their loss.
  static var judgements: Set<Judgement> { get }
  /// How well it suits the targets of the data.
  static func suits(_ tracks: TrackSet) -> Suitability

  /// An objective for tracks that it suits.
  init(_ builder: Builder, _ configuration: ModelConfiguration)

  /// O, the outputs that it reads of each position.
  var outputs: Int { get }
  /// What there is of each position of the last chunk that was evaluated.
  var records: [Record] { get }

  /// Checks a chunk's targets before they are used, and returns what each position's loss is an average over, or, for
  /// weights that are all whole, how often the position counts. [T B]
  func weigh(_ chunk: Chunk, _ pass: ObjectivePass) -> UnsafePointer<Float>
  /// Writes the losses of some rows of the chunk to `losses`, and in training their gradient in place of `outputs`;
  /// otherwise fills the records. Follows `weigh` of the chunk.
  ///
  /// - Parameters:
  ///   - outputs: The head's, of these rows. [rows, O]
  ///   - losses: Of all rows of the chunk. [T B]
  func compute(
    _ outputs: Matrix, rows: Range<Int>, of chunk: Chunk, losses: UnsafeMutablePointer<Double>,
    _ pass: ObjectivePass)
}

extension Objective {
  package static var settings: [String] { [] }

  package func weigh(_ chunk: Chunk, _ pass: ObjectivePass) -> UnsafePointer<Float> {
    UnsafePointer(chunk.weights)
  }
}

/// What an objective is computed for.
package enum ObjectivePass: Sendable {
  /// Losses and their gradient.
  case training
  /// Losses, and records but those of `prediction`.
  case evaluation
  /// All records, without targets: losses are not those of any.
  case prediction
}

/// What predictions can be judged by.
package enum Judgement: Sendable {
  /// Whether the record `prediction`, a token, is the target, as the record `correct` says.
  case choice
  /// Whether the record `prediction`, a probability for each unit, is on the side of the target.
  case decision
  /// How far the record `prediction`, a frame, is from the target.
  case error
  /// How probable the target was held to be: the loss is the negative log of its probability or density.
  case density
}

/// How well an objective suits the targets of some data.
package enum Suitability: Sendable {
  /// It can't use them.
  case none
  /// It can be chosen for them.
  case possible
  /// It is taken for them where none is chosen.
  case natural
}

/// An array with something of each position of a chunk.
package struct Record {
  /// Its name, such as `prediction`.
  package let name: String
  /// What it is, and in which unit.
  package let description: String
  package let unit: String
  /// Where it goes.
  package let use: Use
  /// Numbers a position.
  package let columns: Int
  /// The values of the last chunk. [T B, columns]
  package let values: Values
  /// How they relate to the target's frames.
  package var quantity = Quantity.other

  /// What values are, seen from the target.
  package enum Quantity: Sendable {
    /// Nothing that the target's scale concerns.
    case other
    /// Frames as the target has them.
    case frame
    /// Squares of their units.
    case variance
  }

  /// Where a record goes in evaluations.
  package struct Use: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// Every target's value is kept in evaluations.
    package static let kept = Use(rawValue: 1)
    /// It is a measure: summed by stream, and over all. Zero where no target counts.
    package static let summed = Use(rawValue: 2)
    /// It is a part of what the model predicts, and says so in predictions.
    package static let predicted = Use(rawValue: 4)
  }

  package enum Values {
    case doubles(UnsafePointer<Double>)
    case floats(UnsafePointer<Float>)
    case integers(UnsafePointer<Int32>)
    case counts(UnsafePointer<UInt8>)
  }

  /// The number at a place: at a position, where there is one a position.
  package func number(at place: Int) -> Double {
    switch values {
    case .doubles(let values): values[place]
    case .floats(let values): Double(values[place])
    case .integers(let values): Double(values[place])
    case .counts(let values): Double(values[place])
    }
  }
}

/// Sums of a chunk's positions for each lane, in Double: the losses, the weights, how many count, then what the objective
/// measures.
package struct LaneSums {
  /// The names of the sums.
  package let names: [String]
  /// [B, names]
  private let values: UnsafeMutablePointer<Double>

  /// The place of the losses, of the weights, and of the number of positions that have one, among the sums.
  package static let (loss, weight, targets) = (0, 1, 2)
  /// Their names.
  static let names = ["loss", "weight", "targets"]

  init(_ names: [String], _ values: UnsafeMutablePointer<Double>) {
    self.names = names
    self.values = values
  }

  /// A sum of a lane.
  package subscript(lane: Int, measure: Int) -> Double {
    get { values[lane * names.count + measure] }
    nonmutating set { values[lane * names.count + measure] = newValue }
  }
}
