import CKernels
import Chunks
import Preconditions

extension Matrix {
  /// Adds a matrix of the same shape.
  func add(_ other: Matrix) {
    precondition(rows == other.rows && columns == other.columns, "added matrices have one shape")
    if stride == columns && other.stride == columns {
      st_add(count, base, other.base, base)
    } else {
      for row in 0..<rows { st_add(columns, self[row], other[row], self[row]) }
    }
  }
}
