import CKernels

/// How matrix products are computed.
package enum Precision: String, Sendable, CaseIterable {
  /// float32 inputs, float32 sums.
  case float32
  /// bfloat16 inputs, float32 sums. Weights, gates, states and losses stay float32 or better.
  case bfloat16

  /// Whether it is computed by float32 products of rounded inputs here, which saves no time.
  package var isEmulated: Bool { self == .bfloat16 && BFloat16Products.preferred == .rounded }

  /// What a user should know where it is emulated.
  package var emulationNote: String? {
    guard isEmulated else { return nil }
    let reason =
      st_has_bfloat16()
      ? "oneDNN (libdnnl.so.2) is not installed"
      : "this processor has neither AVX-512 BF16 nor AMX, or SEQTRAIN_ISA forbids them"
    return "bfloat16 is emulated, no faster than float32: \(reason)"
  }
}

/// What computes the products of `Precision.bfloat16`.
package enum BFloat16Products: Sendable, CaseIterable {
  /// The float32 kernels of the core, which round their inputs to bfloat16.
  case rounded
  /// oneDNN, by the processor's own instructions; where it has none oneDNN emulates them, slowly.
  case oneDNN

  /// oneDNN where it is installed and the processor has AVX-512 BF16 or AMX.
  package static let preferred: BFloat16Products =
    st_has_bfloat16() && OneDNNMatmul.isInstalled ? .oneDNN : .rounded
}
