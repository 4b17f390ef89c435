/// Matrix products in float32.
///
/// Every element of a result is a sum over k in ascending order, cut into blocks that K alone decides (of up to
/// 768, for gradients of weights `ST_ROW_DEPTH`): its bits do not depend on how many rows or columns share the call. All
/// matrices are row-major; `ld` is the number of floats from one row to the next. With `round_inputs` both
/// inputs are rounded to bfloat16 (nearest even) while they are packed, and the products are summed in float32:
/// bfloat16 products on machines that have none.

/// Floats of scratch memory that a product needs, whatever its shape; aligned to 64 bytes.
ST_KERNEL(size_t, product_scratch, (void), ())

/// C[M, N] = A[M, K] W[N, K]^T, or += with `accumulate`. The forward product of a linear map.
ST_KERNEL(void, product_forward,
          (long m, long n, long k, const float *a, long lda, const float *w, long ldw, float *c, long ldc,
           bool accumulate, bool round_inputs, float *scratch),
          (m, n, k, a, lda, w, ldw, c, ldc, accumulate, round_inputs, scratch))

/// C[M, N] = A[M, K] W[K, N], or += with `accumulate`. The gradient of a linear map's input.
ST_KERNEL(void, product_input_gradient,
          (long m, long n, long k, const float *a, long lda, const float *w, long ldw, float *c, long ldc,
           bool accumulate, bool round_inputs, float *scratch),
          (m, n, k, a, lda, w, ldw, c, ldc, accumulate, round_inputs, scratch))

/// C[M, N] += sum over r < rows of A[row(r), :M]^T B[row(r), :N], where row(r) = (r / lanes) * stride + r %
/// lanes. The gradient of a linear map's weights over `lanes` of the `stride` lanes of a time-major [T, B, .]
/// array.
ST_KERNEL(void, product_weight_gradient,
          (long m, long n, long rows, long lanes, long stride, const float *a, long lda, const float *b,
           long ldb, float *c, long ldc, bool round_inputs, float *scratch),
          (m, n, rows, lanes, stride, a, lda, b, ldb, c, ldc, round_inputs, scratch))

/// Floats of the packed form of weights with N outputs and K inputs; aligned to 64 bytes.
ST_KERNEL(size_t, packed_size, (long n, long k), (n, k))

/// Outputs of a panel. The packed form of some panels is a part of that of all: the panel of output n, a multiple of this,
/// begins at the (n K)-th float.
ST_KERNEL(long, panel_columns, (void), ())

/// Packs W[N, K] for `st_product_packed` to compute A W^T.
ST_KERNEL(void, pack_forward,
          (long n, long k, const float *w, long ldw, bool round_inputs, float *packed),
          (n, k, w, ldw, round_inputs, packed))

/// Packs W[K, N] for `st_product_packed` to compute A W.
ST_KERNEL(void, pack_input_gradient,
          (long n, long k, const float *w, long ldw, bool round_inputs, float *packed),
          (n, k, w, ldw, round_inputs, packed))

/// C[M, N] = A[M, K] B, or += with `accumulate`, B packed. The same bits as the product that packs by itself.
ST_KERNEL(void, product_packed,
          (long m, long n, long k, const float *a, long lda, const float *packed, float *c, long ldc, bool
           accumulate, bool round_inputs, float *scratch),
          (m, n, k, a, lda, packed, c, ldc, accumulate, round_inputs, scratch))

/// Measured peak of fused multiply-adds in float32, in floating-point operations a second, on this core
/// (about 20 ms).
ST_KERNEL(double, measure_peak, (void), ())
