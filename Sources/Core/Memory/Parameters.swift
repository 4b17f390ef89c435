/// A named array of weights.
public struct Parameter: Sendable {
  /// The name, as `torch.nn` has it.
  public let name: String
  /// The shape, as `torch.nn` has it.
  public let shape: [Int]
  /// How it is filled before training.
  public let initializer: Initializer
  /// Where it begins in the flat vector of all weights.
  public fileprivate(set) var offset = 0

  init(_ name: String, _ shape: [Int], _ initializer: Initializer) {
    self.name = name
    self.shape = shape
    self.initializer = initializer
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }
  /// Its place in the flat vector.
  public var range: Range<Int> { offset..<offset + count }
}

/// Where every parameter of a model lies in one flat vector.
///
/// Pieces are groups of parameters whose gradients are finished together, in the order in which backward finishes
/// them. Each begins at a multiple of `alignment`, so that the vector falls into blocks that belong to one piece; the
/// gaps are always zero.
public struct ParameterLayout: Sendable {
  /// Pieces begin at multiples of this number of elements: the blocks of norms and of the exchange.
  public static let alignment = 1024

  /// All parameters, in the order of the vector.
  public let parameters: [Parameter]
  /// The parts of the vector, in the order in which backward finishes them. They cover it without gaps.
  public let pieces: [Range<Int>]
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
  public var count: Int { pieces.last?.upperBound ?? 0 }

  /// The number of weights, gaps left out.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

  /// The parameter to which an element of the vector belongs, or the gap behind the parameter.
  public func parameter(at element: Int) -> Parameter? { parameters.last { $0.offset <= element } }

  /// The parameter of a name, if there is one.
  public subscript(name: String) -> Parameter? { indices[name].map { parameters[$0] } }
}

/// The memory of a model's weights, and of one vector of gradients a shard, all of one layout.
public final class ParameterMemory {
  /// Where each parameter lies.
  public let layout: ParameterLayout
  /// The weights.
  public let weights: UnsafeMutablePointer<Float>
  /// The gradients of each shard of the rank; none for evaluation.
  public let gradients: [UnsafeMutablePointer<Float>]
  private let owner: AnyObject

  /// Views of memory that `owner` keeps.
  public init(
    layout: ParameterLayout, weights: UnsafeMutablePointer<Float>, gradients: [UnsafeMutablePointer<Float>],
    owner: AnyObject
  ) {
    self.layout = layout
    self.weights = weights
    self.gradients = gradients
    self.owner = owner
  }

  /// Memory of its own, for `shards` vectors of gradients.
  public convenience init(layout: ParameterLayout, shards: Int) {
    let buffer = Buffer<Float>(count: layout.count * (1 + shards))
    self.init(
      layout: layout, weights: buffer.base,
      gradients: (0..<shards).map { buffer.base + ($0 + 1) * layout.count }, owner: buffer)
  }

  /// The views of a parameter that the layout has. To be kept: finding one by name takes time.
  func view(_ name: String) -> ParameterView {
    guard let parameter = layout[name] else { preconditionFailure("no parameter is named \(name)") }
    let columns = parameter.shape.last ?? 1
    func view(of vector: UnsafeMutablePointer<Float>) -> Matrix {
      Matrix(vector + parameter.offset, rows: parameter.count / columns, columns: columns)
    }
    return ParameterView(weights: view(of: weights), gradients: gradients.map(view))
  }
}

/// A parameter as a matrix: all dimensions but the last are its rows.
struct ParameterView {
  let weights: Matrix
  /// One for each shard of the rank.
  let gradients: [Matrix]
}
