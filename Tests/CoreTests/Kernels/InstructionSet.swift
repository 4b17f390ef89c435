import CKernels
import Random
import Testing

/// The kernels of one instruction set that this machine can run.
struct InstructionSet: Sendable, CustomTestStringConvertible {
  let name: String
  nonisolated(unsafe) let kernels: UnsafePointer<st_kernels>

  /// Every set that this machine can run.
  static let all: [InstructionSet] = ["generic", "avx2", "avx512"].compactMap { name in
    st_kernels_of(name).map { InstructionSet(name: name, kernels: $0) }
  }

  var testDescription: String { name }
}

/// `count` numbers between -1 and 1, the same for the same `seed`.
func numbers(_ count: Int, seed: UInt64) -> [Float] {
  var stream = RandomStream(RandomKey(seed: seed, purpose: .benchmark))
  return (0..<count).map { _ in Float(2 * stream.uniform() - 1) }
}

/// Memory aligned to 64 bytes, as packed weights and scratch have to be.
final class AlignedFloats {
  let start: UnsafeMutablePointer<Float>

  init(_ count: Int) {
    start = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
      .initializeMemory(as: Float.self, repeating: .nan, count: max(count, 1))
  }

  deinit { start.deallocate() }
}

/// The bits of `numbers`: equal also for NaN.
func bits(_ numbers: some Sequence<Float>) -> [UInt32] { numbers.map(\.bitPattern) }

/// `x` rounded to bfloat16, the nearest, of two equally near the even one.
func roundedToBFloat16(_ x: Float) -> Float {
  let bits = x.bitPattern
  return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
}
