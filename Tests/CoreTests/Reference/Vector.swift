import Glibc

/// A column of Doubles, for equations that read as in a book: + - and * go element by element.
struct Vector: Equatable {
  var elements: [Double]

  init(_ elements: [Double]) { self.elements = elements }
  init(_ elements: some Sequence<Float>) { self.elements = elements.map(Double.init) }

  /// All zero.
  static func zero(_ count: Int) -> Vector { Vector([Double](repeating: 0, count: count)) }

  var count: Int { elements.count }
  var sum: Double { elements.reduce(0, +) }
  var mean: Double { sum / Double(count) }

  func map(_ function: (Double) -> Double) -> Vector { Vector(elements.map(function)) }

  /// The gates of a vector of `count` gates.
  func gates(_ count: Int) -> [Vector] {
    let width = elements.count / count
    return (0..<count).map { Vector(Array(elements[$0 * width..<($0 + 1) * width])) }
  }

  static func + (a: Vector, b: Vector) -> Vector { Vector(zip(a.elements, b.elements).map { $0 + $1 }) }
  static func * (a: Vector, b: Vector) -> Vector { Vector(zip(a.elements, b.elements).map { $0 * $1 }) }
  static func - (a: Double, b: Vector) -> Vector { b.map { a - $0 } }
  static func - (a: Vector, b: Double) -> Vector { a.map { $0 - b } }
  static func * (a: Double, b: Vector) -> Vector { b.map { a * $0 } }
  static func / (a: Vector, b: Vector) -> Vector { Vector(zip(a.elements, b.elements).map { $0 / $1 }) }
  static func / (a: Vector, b: Double) -> Vector { a.map { $0 / b } }
}

func sigmoid(_ x: Vector) -> Vector { x.map { 1 / (1 + exp(-$0)) } }
func tanh(_ x: Vector) -> Vector { x.map { Glibc.tanh($0) } }
func relu(_ x: Vector) -> Vector { x.map { max($0, 0) } }

/// A parameter, row-major. A vector is its only row.
struct ReferenceParameter {
  var elements: [Double]
  let columns: Int

  var rows: Int { elements.count / columns }
  var vector: Vector { Vector(elements) }

  func row(_ index: Int) -> Vector { Vector(Array(elements[index * columns..<(index + 1) * columns])) }

  static func * (w: ReferenceParameter, x: Vector) -> Vector {
    precondition(x.count == w.columns)
    return Vector(
      (0..<w.rows).map { row in
        var sum = 0.0
        for column in 0..<w.columns { sum += w.elements[row * w.columns + column] * x.elements[column] }
        return sum
      })
  }
}
