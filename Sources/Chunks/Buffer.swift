import Glibc
import Preconditions

/// A fixed number of elements in memory of its own: zeroed, aligned to cache lines, freed with its owner.
///
/// Buffers are made once, when the shapes of a run are known, and live as long as what computes with them: the
/// steady state allocates nothing.
package final class Buffer<Element: BitwiseCopyable> {
  /// The first element.
  package let base: UnsafeMutablePointer<Element>
  /// The number of elements.
  package let count: Int

  private let byteCount: Int
  private let measurement: MemoryMeasurement?

  /// Allocates `count` elements, all bits zero; where memory is being measured, counts them.
  ///
  /// Ends the process, with a message, where the system has not that much memory: a job looks before.
  package init(count: Int) {
    let (bytes, overflows) = max(1, count).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    byteCount = overflows ? Int.max : bytes
    measurement = MemoryMeasurement.current
    let memory: UnsafeMutableRawPointer
    if let measurement {
      measurement.add(byteCount)
      memory = nowhere
    } else {
      memory = allocate(byteCount)
    }
    base = memory.bindMemory(to: Element.self, capacity: max(1, count))
    self.count = count
  }

  deinit {
    if let measurement { measurement.remove(byteCount) } else { free(base) }
  }

  /// The elements.
  package var elements: UnsafeMutableBufferPointer<Element> { .init(start: base, count: count) }

  /// Sets all bits to zero.
  package func clear() { memset(base, 0, count * MemoryLayout<Element>.stride) }
}

extension Buffer where Element == Float {
  /// A buffer for a row-major matrix of this shape.
  package convenience init(rows: Int, columns: Int) { self.init(count: rows * columns) }

  /// The first rows x columns elements as a row-major matrix.
  package func matrix(rows: Int, columns: Int) -> Matrix {
    precondition(rows * columns <= count, "a matrix reaches beyond its buffer")
    return Matrix(base, rows: rows, columns: columns)
  }
}

/// A cache line.
private let alignment = 64

/// An address in the first page, which the system gives to no process.
private var nowhere: UnsafeMutableRawPointer {
  guard let address = UnsafeMutableRawPointer(bitPattern: alignment) else {
    preconditionFailure("the address is not null")
  }
  return address
}

/// `bytes` bytes of zeros.
private func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
  var memory: UnsafeMutableRawPointer?
  guard bytes <= Int.max - alignment,
    posix_memalign(&memory, alignment, (bytes + alignment - 1) / alignment * alignment) == 0, let memory
  else { endForLackOfMemory(bytes) }
  memset(memory, 0, bytes)
  return memory
}

private func endForLackOfMemory(_ bytes: Int) -> Never {
  fflush(nil)
  var text = """
    seqtrain: error: the system refused \(bytes) bytes of memory: see `ulimit -v` and /proc/sys/vm/overcommit_memory; \
    fewer lanes, a shorter chunk or a smaller model need less

    """
  _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  _exit(1)
}
