#ifndef SEQTRAIN_PRODUCTS_H
#define SEQTRAIN_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>

/// Matrix products in float32.
///
/// Every element of a result is a sum over k in ascending order, cut into blocks that K alone decides (of up to
/// 768, for gradients of weights `ST_ROW_DEPTH`): its bits do not depend on how many rows or columns share the call. All
/// matrices are row-major; `ld` is the number of floats from one row to the next. With `round_inputs` both
/// inputs are rounded to bfloat16 (nearest even) while they are packed, and the products are summed in float32:
/// bfloat16 products on machines that have none.

/// The most rows of a gradient of weights that are summed before the sum is added to the result.
enum { ST_ROW_DEPTH = 512 };

/// Floats of scratch memory that a product needs, whatever its shape; aligned to 64 bytes.
size_t st_product_scratch(void);

/// C[M, N] = A[M, K] W[N, K]^T, or += with `accumulate`. The forward product of a linear map.
void st_product_forward(long m, long n, long k, const float *a, long lda, const float *w, long ldw, float *c,
                        long ldc, bool accumulate, bool round_inputs, float *scratch);

/// C[M, N] = A[M, K] W[K, N], or += with `accumulate`. The gradient of a linear map's input.
void st_product_input_gradient(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                               float *c, long ldc, bool accumulate, bool round_inputs, float *scratch);

/// C[M, N] += sum over r < rows of A[row(r), :M]^T B[row(r), :N], where row(r) = (r / lanes) * stride + r %
/// lanes. The gradient of a linear map's weights over `lanes` of the `stride` lanes of a time-major [T, B, .]
/// array.
void st_product_weight_gradient(long m, long n, long rows, long lanes, long stride, const float *a, long lda,
                                const float *b, long ldb, float *c, long ldc, bool round_inputs,
                                float *scratch);

/// Floats of the packed form of weights with N outputs and K inputs; aligned to 64 bytes.
size_t st_packed_size(long n, long k);

/// Outputs of a panel. The packed form of some panels is a part of that of all: the panel of output n, a multiple of this,
/// begins at the (n K)-th float.
long st_panel_columns(void);

/// Packs W[N, K] for `st_product_packed` to compute A W^T.
void st_pack_forward(long n, long k, const float *w, long ldw, bool round_inputs, float *packed);

/// Packs W[K, N] for `st_product_packed` to compute A W.
void st_pack_input_gradient(long n, long k, const float *w, long ldw, bool round_inputs, float *packed);

/// C[M, N] = A[M, K] B, or += with `accumulate`, B packed. The same bits as the product that packs by itself.
void st_product_packed(long m, long n, long k, const float *a, long lda, const float *packed, float *c,
                       long ldc, bool accumulate, bool round_inputs, float *scratch);

/// Measured peak of fused multiply-adds in float32, in floating-point operations a second, on this core
/// (about 20 ms).
double st_measure_peak(void);

#endif
