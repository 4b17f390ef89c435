import Glibc
import Preconditions

/// A fixed number of elements in memory of its own: zeroed, aligned to cache lines, freed with its owner.
///
/// Buffers are made once, when the shapes of a run are known, and live as long as what computes with them: the
/// steady state allocates nothing.
public final class Buffer<Element: BitwiseCopyable> {
  /// The first element.
  public let base: UnsafeMutablePointer<Element>
  /// The number of elements.
  public let count: Int

  /// Allocates `count` elements, all bits zero.
  public init(count: Int) {
    let bytes = max(1, count * MemoryLayout<Element>.stride)
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, 64, (bytes + 63) / 64 * 64)
    guard status == 0, let memory else {
      preconditionFailure("the system refused \(bytes) bytes of memory")
    }
    memset(memory, 0, bytes)
    base = memory.bindMemory(to: Element.self, capacity: max(1, count))
    self.count = count
  }

  deinit { free(base) }

  /// The elements.
  public var elements: UnsafeMutableBufferPointer<Element> { .init(start: base, count: count) }

  /// Sets all bits to zero.
  public func clear() { memset(base, 0, count * MemoryLayout<Element>.stride) }
}

extension Buffer where Element == Float {
  /// A buffer for a row-major matrix of this shape.
  convenience init(rows: Int, columns: Int) { self.init(count: rows * columns) }

  /// The first rows x columns elements as a row-major matrix.
  func matrix(rows: Int, columns: Int) -> Matrix {
    precondition(rows * columns <= count, "a matrix reaches beyond its buffer")
    return Matrix(base, rows: rows, columns: columns)
  }
}
