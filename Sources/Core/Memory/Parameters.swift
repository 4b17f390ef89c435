import CKernels
import Chunks
import Preconditions

/// How a parameter is updated, beside the optimiser's settings.
package struct UpdateRule: Sendable, Equatable {
  /// What the learning rate is multiplied by.
  package let rateFactor: Double
  /// Whether weight decay applies to it.
  package let decays: Bool

  /// As any.
  package static let ordinary = UpdateRule(rateFactor: 1, decays: true)
  /// For what decay would change the meaning of.
  static let undecayed = UpdateRule(rateFactor: 1, decays: false)
  /// For eigenvalues and step sizes of linear recurrences, which small changes make forget or grow (Gu et al. 2022; Orvieto et
  /// al. 2023).
  static let dynamics = UpdateRule(rateFactor: 0.25, decays: false)
}

/// A named array of weights.
package struct Parameter: Sendable {
  /// The name, as `torch.nn` has it.
  package let name: String
  /// The shape, as `torch.nn` has it.
  package let shape: [Int]
  /// How it is filled before training.
  package let initializer: Initializer
  /// How it is updated.
  package let rule: UpdateRule
  /// Where it begins in the flat vector of all weights.
  package fileprivate(set) var offset = 0

  init(_ name: String, _ shape: [Int], _ initializer: Initializer, _ rule: UpdateRule = .ordinary) {
    self.name = name
    self.shape = shape
    self.initializer = initializer
    self.rule = rule
  }

  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }
  /// The columns of its matrix, whose rows are those of its first dimension; a vector is one row.
  var columns: Int { shape.count > 1 ? shape.dropFirst().reduce(1, *) : count }
  /// Its place in the flat vector.
  package var range: Range<Int> { offset..<offset + count }
}

/// Where every parameter of a model lies in one flat vector.
///
/// Pieces are groups of parameters whose gradients are finished together, in the order in which backward finishes
/// them. Each begins at a multiple of `alignment`, so that the vector falls into blocks that belong to one piece; the
/// gaps are always zero.
package struct ParameterLayout: Sendable {
  /// Pieces begin at multiples of this number of elements: the blocks of norms and of the exchange.
  package static let alignment = 1024

  /// All parameters, in the order of the vector.
  package let parameters: [Parameter]
  /// The parts of the vector, in the order in which backward finishes them. They cover it without gaps.
  package let pieces: [Range<Int>]
  private let indices: [String: Int]

  init(pieces groups: [[Parameter]]) {
    var parameters: [Parameter] = []
    var pieces: [Range<Int>] = []
    var end = 0
    for group in groups where !group.isEmpty {
      let start = end
      for var parameter in group {
        parameter.offset = end
        parameters.append(parameter)
        end += (parameter.count + 15) / 16 * 16
      }
      end = (end + Self.alignment - 1) / Self.alignment * Self.alignment
      pieces.append(start..<end)
    }
    self.parameters = parameters
    self.pieces = pieces
    indices = Dictionary(uniqueKeysWithValues: parameters.enumerated().map { ($1.name, $0) })
  }

  /// The number of elements of the vector, gaps included.
  package var count: Int { pieces.last?.upperBound ?? 0 }

  /// The number of weights, gaps left out.
  package var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

  /// The parameter to which an element of the vector belongs, or the gap behind the parameter.
  package func parameter(at element: Int) -> Parameter? { parameters.last { $0.offset <= element } }

  /// The index of the piece that a parameter is in, if there is one of this name.
  func piece(of name: String) -> Int? {
    self[name].flatMap { parameter in pieces.firstIndex { $0.contains(parameter.offset) } }
  }

  /// The parameter of a name, if there is one.
  package subscript(name: String) -> Parameter? { indices[name].map { parameters[$0] } }
}

/// The memory of a model's weights, and of gradients that are summed over the rank's shards, all of one layout.
package final class ParameterMemory {
  /// Where each parameter lies.
  package let layout: ParameterLayout
  /// The weights.
  package let weights: UnsafeMutablePointer<Float>
  /// The gradients, a vector for each of `trees`; none for evaluation.
  package let gradients: [UnsafeMutablePointer<Float>]
  /// The shards of the rank, counted from 0, that each vector of gradients is the sum of, in the order of `ShardTree`.
  package let trees: [Range<Int>]
  private let owner: AnyObject

  /// Views of memory that `owner` keeps.
  package init(
    layout: ParameterLayout, weights: UnsafeMutablePointer<Float>, gradients: [UnsafeMutablePointer<Float>],
    trees: [Range<Int>], owner: AnyObject
  ) {
    precondition(gradients.count == trees.count, "a tree of shards has one vector of gradients")
    self.layout = layout
    self.weights = weights
    self.gradients = gradients
    self.trees = trees
    self.owner = owner
  }

  /// Memory of its own, with a vector of gradients for each of `trees`.
  package convenience init(layout: ParameterLayout, trees: [Range<Int>]) {
    let buffer = Buffer<Float>(count: layout.count * (1 + trees.count))
    self.init(
      layout: layout, weights: buffer.base,
      gradients: trees.indices.map { buffer.base + ($0 + 1) * layout.count }, trees: trees, owner: buffer)
  }

  /// Memory of its own, with a vector of gradients for each of `shards` shards.
  package convenience init(layout: ParameterLayout, shards: Int) {
    self.init(layout: layout, trees: (0..<shards).map { $0..<$0 + 1 })
  }

  /// The same weights without gradients, for a model that only evaluates, of whatever shape.
  package var withoutGradients: ParameterMemory {
    ParameterMemory(layout: layout, weights: weights, gradients: [], trees: [], owner: owner)
  }

  /// The first weight that is not finite: its parameter, and its number in it.
  package var firstNonFiniteWeight: (parameter: Parameter, element: Int)? {
    for parameter in layout.parameters {
      let element = st_first_non_finite(parameter.count, weights + parameter.offset)
      if element >= 0 { return (parameter, element) }
    }
    return nil
  }

  /// The views of a parameter that the layout has. Keep them: finding one by name takes time.
  func view(_ name: String) -> ParameterView {
    guard let parameter = layout[name] else { preconditionFailure("no parameter is named \(name)") }
    func view(of vector: UnsafeMutablePointer<Float>) -> Matrix {
      Matrix(
        vector + parameter.offset, rows: parameter.count / parameter.columns, columns: parameter.columns)
    }
    return ParameterView(weights: view(of: weights), gradient: Gradient(trees: gradients.map(view)))
  }
}

/// A parameter as a matrix; see `Parameter.columns`.
struct ParameterView {
  let weights: Matrix
  var gradient: Gradient
}

/// The gradient of a parameter over the shards of a rank; see `GradientSums`.
struct Gradient {
  /// The sum over each of the rank's trees of shards.
  let trees: [Matrix]
  /// What each shard contributes, where that is kept until all of it is there; otherwise empty.
  var shards: [Matrix] = []

  /// That of some of the parameter's rows.
  func rows(_ range: Range<Int>) -> Gradient {
    Gradient(trees: trees.map { $0.rows(range) }, shards: shards.map { $0.rows(range) })
  }

  /// That of some of the parameter's columns.
  func columns(_ range: Range<Int>) -> Gradient {
    Gradient(trees: trees.map { $0.columns(range) }, shards: shards.map { $0.columns(range) })
  }
}
