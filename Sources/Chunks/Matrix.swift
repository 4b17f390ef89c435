import Preconditions

/// A view of float32 values in memory that something else owns: row-major, `stride` elements from row to row.
///
/// A time-major array [T, B, C] is the matrix of its T B rows; the rows of step t are `step(t, of: B)`.
package struct Matrix {
  /// The first element.
  package let base: UnsafeMutablePointer<Float>
  /// The number of rows.
  package let rows: Int
  /// The number of columns.
  package let columns: Int
  /// The number of elements from the start of a row to the start of the next.
  package let stride: Int

  /// A view of `rows` x `columns` values from `base` on; the rows follow each other without a gap unless `stride` is
  /// given.
  package init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  /// The number of elements.
  package var count: Int { rows * columns }

  /// The rows of a range.
  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows beyond the matrix")
    return Matrix(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  /// The first rows.
  package func prefix(_ count: Int) -> Matrix { rows(0..<count) }

  /// The columns of a range.
  package func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns beyond the matrix")
    return Matrix(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// The rows of time step t of a time-major array of `lanes` lanes.
  package func step(_ t: Int, of lanes: Int) -> Matrix { steps(t..<t + 1, of: lanes) }

  /// The rows of some time steps of such an array.
  package func steps(_ steps: Range<Int>, of lanes: Int) -> Matrix {
    rows(steps.lowerBound * lanes..<steps.upperBound * lanes)
  }

  /// A row.
  package subscript(row: Int) -> UnsafeMutablePointer<Float> { base + row * stride }

  /// Sets every element to zero; the rows must follow each other without a gap.
  package func clear() {
    precondition(stride == columns, "a matrix with gaps can't be cleared as a whole")
    base.update(repeating: 0, count: count)
  }

  /// Copies all elements of a matrix of the same shape; neither has gaps.
  package func copy(from other: Matrix) {
    precondition(
      count == other.count && stride == columns && other.stride == other.columns,
      "copied matrices have one shape and no gaps")
    base.update(from: other.base, count: count)
  }

  /// Copies the transpose of a matrix.
  package func copy(transposed other: Matrix) {
    precondition(rows == other.columns && columns == other.rows, "a transpose has the other shape")
    for row in 0..<rows {
      for column in 0..<columns { self[row][column] = other[column][row] }
    }
  }
}
