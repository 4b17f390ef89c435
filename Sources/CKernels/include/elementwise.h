#ifndef SEQTRAIN_ELEMENTWISE_H
#define SEQTRAIN_ELEMENTWISE_H

#include <stdbool.h>
#include <stdint.h>

/// out = a + b. out may be a or b.
void st_add(long n, const float *a, const float *b, float *out);

/// Every one of `rows` rows of c [rows, n] (ld floats apart) becomes a.
void st_fill_rows(long rows, long n, const float *a, float *c, long ldc);

/// sums[j] += sum over r < rows of x[row(r), j], with row(r) as in `st_product_weight_gradient`; rows in
/// order.
void st_add_column_sums(long n, long rows, long lanes, long stride, const float *x, long ldx, float *sums);

/// out[r, :] = table[index[r], :] for r < rows.
void st_gather_rows(long rows, long n, const float *table, const int32_t *index, float *out);

/// out[r, :] = x[row(r), :] rounded to bfloat16, the nearest, of two equally near the even one, for r < rows,
/// with row(r) as in `st_product_weight_gradient`.
void st_round_rows(long n, long rows, long lanes, long stride, const float *x, long ldx, uint16_t *out);

/// out[index[row(r)], :] += x[row(r), :] for r < rows, in order, with row(r) as in
/// `st_product_weight_gradient`.
void st_scatter_add_rows(long n, long rows, long lanes, long stride, const float *x, long ldx,
                         const int32_t *index, float *out);

/// Inverted dropout: element i of row r of x [rows, n] is multiplied by 1 / keep where the i-th random number
/// of the row's own sequence is below `keep`, by 0 elsewhere. The number is word i % 4 of st_philox(key, i /
/// 4, step, time, first_lane + r), its upper 24 bits taken as a fraction. The row's sequence belongs to its
/// global lane: the mask does not depend on which rows share the call. Forward and backward are the same map.
/// out may be x.
void st_dropout(long rows, long n, const float *x, float keep, uint64_t key, uint32_t step, uint32_t time,
                uint32_t first_lane, float *out);

/// Layer normalisation over rows (Ba et al. 2016): y = (x - mean) / sqrt(var + epsilon) * gain + bias. Writes
/// the normalised values [rows, n] and 1 / sqrt(var + epsilon) [rows] for the backward pass. All arrays
/// differ, but y may be x.
void st_layer_norm_forward(long rows, long n, const float *x, const float *gain, const float *bias,
                           float epsilon, float *normalized, float *inverse_deviation, float *y);

/// dx from dy; dx may be dy. The gradients of gain and bias are sums that the caller takes by
/// `st_add_column_products` (before dx overwrites dy) and `st_add_column_sums`.
void st_layer_norm_backward(long rows, long n, const float *dy, const float *normalized,
                            const float *inverse_deviation, const float *gain, float *dx);

/// sums[j] += sum over r < rows of x[row(r), j] y[row(r), j], rows in order.
void st_add_column_products(long n, long rows, long lanes, long stride, const float *x, const float *y,
                            long ld, float *sums);

/// The sum of squares in double, in a fixed order. Not finite when an element is not.
double st_sum_of_squares(long n, const float *x);

/// The index of the first element that is not finite, or -1.
long st_first_non_finite(long n, const float *x);

#endif
