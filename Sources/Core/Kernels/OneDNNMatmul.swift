import Chunks
import COneDNN
import Preconditions

/// y [M, N] = x [M, K] w [K, N], or y += x w, by oneDNN: x and w in bfloat16, y and the sums in float32, none with
/// gaps.
final class OneDNNMatmul {
  /// The shape of a product, and what makes it another one for oneDNN.
  struct Shape: Hashable {
    /// M
    var rows: Int
    /// N
    var outputs: Int
    /// K, the length of the sums.
    var inputs: Int
    /// Whether y is added to.
    var accumulate: Bool
    /// Whether it sums over the rows of two matrices: x lies by columns and w by rows. Otherwise x lies by rows and w
    /// is packed.
    var overRows = false
  }

  /// Whether the library is installed; loads it.
  static let isInstalled = st_onednn_load()

  let shape: Shape
  /// The bfloat16 values that packed weights take.
  let packedCount: Int
  /// The bytes of scratch memory that it needs.
  let scratchCount: Int
  private let product: OpaquePointer

  /// Prepares a product, to be computed in the thread that calls this.
  init(_ shape: Shape) {
    precondition(Self.isInstalled, "oneDNN (libdnnl.so.2) is not installed")
    self.shape = shape
    product = st_matmul_create(
      shape.rows, shape.outputs, shape.inputs, shape.accumulate,
      shape.overRows ? ST_SUM_OVER_ROWS : ST_PACKED)
    packedCount = st_matmul_packed_count(product)
    scratchCount = st_matmul_scratch_size(product)
  }

  deinit { st_matmul_destroy(product) }

  /// Packs weights that lie by rows: [N, K] with `transposed`, otherwise [K, N].
  func pack(_ w: Buffer<UInt16>, transposed: Bool, into packed: Buffer<UInt16>) {
    st_matmul_pack(product, w.base, transposed, packed.base)
  }

  /// Computes y.
  func multiply(
    _ x: Buffer<UInt16>, _ w: Buffer<UInt16>, into y: UnsafeMutablePointer<Float>, scratch: Buffer<UInt8>
  ) {
    st_matmul_multiply(product, x.base, w.base, y, scratch.base)
  }
}
