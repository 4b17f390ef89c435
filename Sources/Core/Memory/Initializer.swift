import CKernels
import Random

/// How a parameter is filled before training.
public enum Initializer: Sendable, Equatable {
  /// Every element is the same.
  case constant(Float)
  /// Zero, but for the elements of a range.
  case constantIn(Range<Int>, Float)
  /// Independent normal numbers of this standard deviation.
  case normal(deviation: Double)
  /// Independent uniform numbers between -bound and bound.
  case uniform(bound: Double)
  /// `blocks` matrices above each other, each orthogonal: its rows, or its columns where they are fewer, are
  /// orthonormal.
  case orthogonal(blocks: Int)

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

  /// Fills `values`, a matrix of a parameter, with numbers that depend only on the stream.
  func fill(_ values: Matrix, from random: inout RandomStream) {
    let elements = UnsafeMutableBufferPointer(start: values.base, count: values.count)
    switch self {
    case .constant(let value): elements.update(repeating: value)
    case .constantIn(let range, let value):
      elements.update(repeating: 0)
      elements[range].update(repeating: value)
    case .normal(let deviation):
      for i in elements.indices { elements[i] = Float(deviation * random.normal()) }
    case .uniform(let bound):
      for i in elements.indices { elements[i] = Float(bound * (2 * random.uniform() - 1)) }
    case .orthogonal(let blocks):
      let rows = values.rows / blocks
      for block in 0..<blocks {
        Self.fillOrthogonal(values.rows(block * rows..<(block + 1) * rows), from: &random)
      }
    }
  }

  /// A random orthogonal matrix by Gram and Schmidt's method, applied twice for orthogonality to the last bit, to
  /// vectors of normal numbers.
  private static func fillOrthogonal(_ values: Matrix, from random: inout RandomStream) {
    let transposed = values.rows > values.columns
    let count = min(values.rows, values.columns)
    let length = max(values.rows, values.columns)
    let vectors = Buffer<Double>(count: count * length)
    for i in 0..<count {
      let vector = vectors.base + i * length
      for j in 0..<length { vector[j] = random.normal() }
      for _ in 0..<2 {
        for k in 0..<i {
          let other = vectors.base + k * length
          st_add_scaled_double(length, -st_dot_double(length, vector, other), other, vector)
        }
      }
      let norm = st_dot_double(length, vector, vector).squareRoot()
      for j in 0..<length {
        vector[j] /= norm
        let (row, column) = transposed ? (j, i) : (i, j)
        values[row][column] = Float(vector[j])
      }
    }
  }
}

extension ParameterMemory {
  /// Fills all weights: a function of the layout and the seed.
  public func initialize(seed: UInt64) {
    let key = RandomKey(seed: seed, purpose: .initialization)
    for (index, parameter) in layout.parameters.enumerated() {
      var random = RandomStream(key, at: (UInt32(index), 0, 0))
      parameter.initializer.fill(view(parameter.name).weights, from: &random)
    }
  }
}
