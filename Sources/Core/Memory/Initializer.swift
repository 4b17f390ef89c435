import CKernels
import Chunks
import Glibc
import Preconditions
import Random

/// How a parameter is filled before training.
package enum Initializer: Sendable, Equatable {
  /// Every element is the same.
  case constant(Float)
  /// Zero, except in a range.
  case constantIn(Range<Int>, Float)
  /// Independent normal numbers of this standard deviation.
  case normal(deviation: Double)
  /// Independent uniform numbers between -bound and bound.
  case uniform(bound: Double)
  /// The same, to which a number is added in a range.
  case uniformPlus(Double, in: Range<Int>, bound: Double)
  /// What a function makes of independent uniform numbers between two bounds. They are those of the parameter `numbers`
  /// where it is given.
  case uniformBetween(Double, Double, UniformMap = .identity, numbers: String? = nil)
  /// Every row is this one.
  case rows([Float])
  /// `blocks` matrices above each other, each orthogonal but for a factor: its rows, or its columns where they are fewer,
  /// are orthonormal.
  case orthogonal(blocks: Int, factor: Double = 1)

  /// The initializer that a rule names, for a matrix of `blocks` gates [outputs, inputs] above each other.
  static func weights(
    _ rule: WeightInitialization, outputs: Int, inputs: Int, blocks: Int, hidden: Int
  ) -> Initializer {
    switch rule {
    case .xavier: .uniform(bound: (6 / Double(inputs + outputs)).squareRoot())
    case .he: .normal(deviation: (2 / Double(inputs)).squareRoot())
    case .orthogonal: .orthogonal(blocks: blocks)
    case .uniform: .uniform(bound: 1 / Double(hidden).squareRoot())
    }
  }

  /// The initializer of a matrix whose numbers are multiplied by a factor.
  func scaled(by factor: Double) -> Initializer {
    switch self {
    case .uniform(let bound): .uniform(bound: factor * bound)
    case .normal(let deviation): .normal(deviation: factor * deviation)
    case .orthogonal(let blocks, let own): .orthogonal(blocks: blocks, factor: factor * own)
    case .constant, .constantIn, .uniformPlus, .uniformBetween, .rows:
      preconditionFailure("what is scaled is a matrix")
    }
  }
}

/// What an initializer makes of a uniform number.
package enum UniformMap: Sendable {
  case identity
  /// x for which softplus(x) = exp(u).
  case inverseSoftplusOfExponential
  /// log(u)
  case logarithm
  /// log(-log(u) / 2): with u = |lambda|^2, the nu for which |lambda| = exp(-exp(nu)).
  case logarithmOfDecay
  /// log(1 - u) / 2
  case logarithmOfComplement

  fileprivate func callAsFunction(_ u: Double) -> Double {
    // What is uniform may be at its bounds, whose logarithms are not numbers.
    let least = 1e-9
    let inside = min(max(u, least), 1 - least)
    return switch self {
    case .identity: u
    case .inverseSoftplusOfExponential: log(expm1(exp(u)))
    case .logarithm: log(max(u, least))
    case .logarithmOfDecay: log(-log(inside) / 2)
    case .logarithmOfComplement: log(1 - inside) / 2
    }
  }
}

/// A part of a parameter that is filled by itself, so that ranks can share the work.
package struct InitialPart: Sendable {
  /// The elements in the flat vector of all weights.
  package let elements: Range<Int>
  fileprivate let parameter: Parameter
  /// The parameter's rows.
  fileprivate let rows: Range<Int>

  /// What filling it costs: about its multiply-adds.
  fileprivate var cost: Double {
    guard case .orthogonal = parameter.initializer else { return 20 * Double(elements.count) }
    let (rows, columns) = (Double(rows.count), Double(elements.count / rows.count))
    let (few, many) = (min(rows, columns), max(rows, columns))
    return few * few * (many - few / 3)
  }
}

extension ParameterLayout {
  /// The parts that the weights are filled in, dealt to `count` workers, the costliest first, each to the one with the
  /// least to do.
  package func initialParts(dealtTo count: Int) -> [[InitialPart]] {
    var hands = [[InitialPart]](repeating: [], count: count)
    var costs = [Double](repeating: 0, count: count)
    for part in parameters.flatMap(parts).sorted(by: {
      ($1.cost, $0.elements.lowerBound) < ($0.cost, $1.elements.lowerBound)
    }) {
      let least = costs.indices.reduce(0) { costs[$1] < costs[$0] ? $1 : $0 }
      hands[least].append(part)
      costs[least] += part.cost
    }
    return hands
  }

  private func parts(of parameter: Parameter) -> [InitialPart] {
    let columns = parameter.columns
    let blocks = if case .orthogonal(let blocks, _) = parameter.initializer { blocks } else { 1 }
    let rows = parameter.count / columns / blocks
    return (0..<blocks).map { block in
      let start = parameter.offset + block * rows * columns
      return InitialPart(
        elements: start..<start + rows * columns, parameter: parameter,
        rows: block * rows..<(block + 1) * rows)
    }
  }
}

extension ParameterMemory {
  /// Fills all weights: a function of the names and shapes of the parameters and of the seed.
  package func initialize(seed: UInt64) {
    initialize(layout.initialParts(dealtTo: 1)[0], seed: seed)
  }

  /// Fills some of the parts. Ends early, with weights unfinished, when `shouldStop` says so.
  package func initialize(_ parts: [InitialPart], seed: UInt64, shouldStop: () -> Bool = { false }) {
    let key = RandomKey(seed: seed, purpose: .initialization)
    // Made for the first that needs them.
    var orthogonal: OrthogonalMatrices?
    for part in parts where !shouldStop() {
      let values = view(part.parameter.name).weights.rows(part.rows)
      let elements = UnsafeMutableBufferPointer(start: values.base, count: values.count)
      let numbers = RandomRows(key, part)
      switch part.parameter.initializer {
      case .constant(let value): elements.update(repeating: value)
      case .constantIn(let range, let value):
        elements.update(repeating: 0)
        elements[range].update(repeating: value)
      case .normal(let deviation):
        for row in 0..<values.rows { numbers.normal(row, Float(deviation), values.columns, values[row]) }
      case .uniform(let bound):
        for row in 0..<values.rows { numbers.uniform(row, Float(bound), values.columns, values[row]) }
      case .uniformPlus(let shift, let range, let bound):
        for row in 0..<values.rows { numbers.uniform(row, Float(bound), values.columns, values[row]) }
        for i in range { elements[i] += Float(shift) }
      case .uniformBetween(let low, let high, let map, let name):
        let numbers = name.map { RandomRows(key, part, numbersOf: $0) } ?? numbers
        for row in 0..<values.rows { numbers.uniform(row, 0.5, values.columns, values[row]) }
        for i in elements.indices {
          elements[i] = Float(map(low + (high - low) * (Double(elements[i]) + 0.5)))
        }
      case .rows(let numbers):
        for row in 0..<values.rows { values[row].update(from: numbers, count: values.columns) }
      case .orthogonal(_, let factor):
        let matrices = orthogonal ?? OrthogonalMatrices()
        orthogonal = matrices
        fillOrthogonal(values, matrices, shouldStop) { numbers.normal($0, 1, $1, $2) }
        guard factor != 1 else { continue }
        for i in elements.indices { elements[i] *= Float(factor) }
      }
    }
  }

  private func fillOrthogonal(
    _ values: Matrix, _ matrices: OrthogonalMatrices, _ shouldStop: () -> Bool,
    _ draw: (Int, Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    guard values.rows > values.columns else {
      return matrices.fill(values, shouldStop: shouldStop, draw: draw)
    }
    let transposed = Buffer<Float>(rows: values.columns, columns: values.rows)
    matrices.fill(
      transposed.matrix(rows: values.columns, columns: values.rows), shouldStop: shouldStop, draw: draw)
    for row in 0..<values.rows {
      for column in 0..<values.columns { values[row][column] = transposed.base[column * values.rows + row] }
    }
  }
}

/// The random numbers of a part: a sequence for each row of a parameter, keyed by the parameter's name, so that no
/// other parameter moves them.
private struct RandomRows {
  private let key: UInt64
  private let name: (UInt32, UInt32)
  private let firstRow: Int

  init(_ key: RandomKey, _ part: InitialPart, numbersOf parameter: String? = nil) {
    self.key = key.value
    name = RandomKey.place(of: parameter ?? part.parameter.name)
    firstRow = part.rows.lowerBound
  }

  func normal(_ row: Int, _ deviation: Float, _ count: Int, _ values: UnsafeMutablePointer<Float>) {
    st_normal_numbers(count, deviation, key, name.0, name.1, UInt32(firstRow + row), values)
  }

  func uniform(_ row: Int, _ bound: Float, _ count: Int, _ values: UnsafeMutablePointer<Float>) {
    st_uniform_numbers(count, bound, key, name.0, name.1, UInt32(firstRow + row), values)
  }
}
