import CKernels
import Chunks

extension Precision {
  /// Measures the floating-point operations in a second that one core of this machine reaches in this precision: with
  /// multiply-adds in its registers, or where bfloat16 is native, in oneDNN's product of two 1024 x 1024 matrices.
  package func measurePeakRate() -> Double {
    if self == .float32 || isEmulated { return st_measure_peak() }
    let size = 1024
    let matmul = OneDNNMatmul(.init(rows: size, outputs: size, inputs: size, accumulate: false))
    let (x, w) = (Buffer<UInt16>(count: size * size), Buffer<UInt16>(count: matmul.packedCount))
    let y = Buffer<Float>(count: size * size)
    let scratch = Buffer<UInt8>(count: matmul.scratchCount)
    return (0..<10).reduce(0) { best, _ in
      let start = monotonicSeconds()
      matmul.multiply(x, w, into: y.base, scratch: scratch)
      return max(best, 2 * Double(size * size * size) / (monotonicSeconds() - start))
    }
  }
}
