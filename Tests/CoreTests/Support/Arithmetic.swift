import CKernels
import Core
import Testing

/// A way to compute a model's products.
struct Arithmetic: Sendable, CustomTestStringConvertible {
  let precision: Precision
  let bfloat16: BFloat16Products
  var testDescription: String { precision == .float32 ? "float32" : "bfloat16, \(bfloat16)" }

  static let float32 = Arithmetic(precision: .float32, bfloat16: .rounded)

  /// Those with bfloat16 that this machine can run: oneDNN emulates it on AVX-512 without it, and on nothing less.
  static let bfloat16 = [.rounded, .oneDNN].filter { $0 == .rounded || st_kernels_of("avx512") != nil }
    .map { Arithmetic(precision: .bfloat16, bfloat16: $0) }

  static let all = [float32] + bfloat16
}
