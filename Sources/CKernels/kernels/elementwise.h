/// out = a + b. out may be a or b.
ST_KERNEL(void, add, (long n, const float *a, const float *b, float *out), (n, a, b, out))

/// Every one of `rows` rows of c [rows, n] (ld floats apart) becomes a.
ST_KERNEL(void, fill_rows, (long rows, long n, const float *a, float *c, long ldc), (rows, n, a, c, ldc))

/// y[r, j] = d[j] x[r, j], or y[r, j] += that if it accumulates, for x and y [rows, n].
ST_KERNEL(void, scale_columns,
          (long rows, long n, const float *d, const float *x, bool accumulate, float *y),
          (rows, n, d, x, accumulate, y))

/// sums[j] += sum over r < rows of x[row(r), j], with row(r) as in `st_product_weight_gradient`; rows in
/// order.
ST_KERNEL(void, add_column_sums,
          (long n, long rows, long lanes, long stride, const float *x, long ldx, float *sums),
          (n, rows, lanes, stride, x, ldx, sums))

/// out[r, :] = table[index[r], :] for r < rows.
ST_KERNEL(void, gather_rows,
          (long rows, long n, const float *table, const int32_t *index, float *out),
          (rows, n, table, index, out))

/// out[r, :] = x[row(r), :] rounded to bfloat16, the nearest, of two equally near the even one, for r < rows,
/// with row(r) as in `st_product_weight_gradient`.
ST_KERNEL(void, round_rows,
          (long n, long rows, long lanes, long stride, const float *x, long ldx, uint16_t *out),
          (n, rows, lanes, stride, x, ldx, out))

/// out[index[row(r)], :] += x[row(r), :] for r < rows, in order, with row(r) as in
/// `st_product_weight_gradient`.
ST_KERNEL(void, scatter_add_rows,
          (long n, long rows, long lanes, long stride, const float *x, long ldx, const int32_t *index, float
           *out),
          (n, rows, lanes, stride, x, ldx, index, out))

/// Inverted dropout: element i of row r of x [rows, n] is multiplied by 1 / keep where the i-th random number
/// of the row's own sequence is below `keep`, by 0 elsewhere. The number is word i % 4 of st_philox(key, i /
/// 4, step, time, first_lane + r), its upper 24 bits taken as a fraction. The row's sequence belongs to its
/// global lane: the mask does not depend on which rows share the call. Forward and backward are the same map.
/// out may be x.
ST_KERNEL(void, dropout,
          (long rows, long n, const float *x, float keep, uint64_t key, uint32_t step, uint32_t time,
           uint32_t first_lane, float *out),
          (rows, n, x, keep, key, step, time, first_lane, out))

/// Layer normalisation over rows (Ba et al. 2016): y = (x - mean) / sqrt(var + epsilon) * gain + bias. Writes
/// the normalised values [rows, n] and 1 / sqrt(var + epsilon) [rows] for the backward pass. All arrays
/// differ, but y may be x.
ST_KERNEL(void, layer_norm_forward,
          (long rows, long n, const float *x, const float *gain, const float *bias, float epsilon, float
           *normalized, float *inverse_deviation, float *y),
          (rows, n, x, gain, bias, epsilon, normalized, inverse_deviation, y))

/// dx from dy; dx may be dy. The gradients of gain and bias are sums that the caller takes by
/// `st_add_column_products` (before dx overwrites dy) and `st_add_column_sums`.
ST_KERNEL(void, layer_norm_backward,
          (long rows, long n, const float *dy, const float *normalized, const float *inverse_deviation,
           const float *gain, float *dx),
          (rows, n, dy, normalized, inverse_deviation, gain, dx))

/// Normalisation of rows by the root of their mean square (Zhang & Sennrich 2019): y = x / sqrt(mean(x^2) + epsilon) *
/// gain. Writes the normalised values [rows, n] and 1 / sqrt(mean(x^2) + epsilon) [rows] for the backward pass. All arrays
/// differ, but y may be x.
ST_KERNEL(void, rms_norm_forward,
          (long rows, long n, const float *x, const float *gain, float epsilon, float *normalized,
           float *inverse_root, float *y),
          (rows, n, x, gain, epsilon, normalized, inverse_root, y))

/// dx from dy; dx may be dy. The gradient of gain is the caller's to sum, as of `st_layer_norm_backward`.
ST_KERNEL(void, rms_norm_backward,
          (long rows, long n, const float *dy, const float *normalized, const float *inverse_root,
           const float *gain, float *dx),
          (rows, n, dy, normalized, inverse_root, gain, dx))

/// Rows of length one: y[r] = x[r] / max(|x[r]|, epsilon), as torch.nn.functional.normalize. Writes 1 / max(|x[r]|, epsilon)
/// [rows] for the backward pass. y may be x.
ST_KERNEL(void, unit_rows_forward,
          (long rows, long n, const float *x, float epsilon, float *inverse_length, float *y),
          (rows, n, x, epsilon, inverse_length, y))

/// dx [rows, n] from dy and y. dx may be dy.
ST_KERNEL(void, unit_rows_backward,
          (long rows, long n, const float *dy, const float *y, const float *inverse_length, float *dx),
          (rows, n, dy, y, inverse_length, dx))

/// products[r] = x[r] . y[r], rows of n.
ST_KERNEL(void, row_products, (long rows, long n, const float *x, const float *y, float *products),
          (rows, n, x, y, products))

/// sums[j] += sum over r < rows of x[row(r), j] y[row(r), j], rows in order.
ST_KERNEL(void, add_column_products,
          (long n, long rows, long lanes, long stride, const float *x, const float *y, long ld, float *sums),
          (n, rows, lanes, stride, x, y, ld, sums))

/// The sum of squares in double, in a fixed order. Not finite when an element is not.
ST_KERNEL(double, sum_of_squares, (long n, const float *x), (n, x))

/// The index of the first element that is not finite, or -1.
ST_KERNEL(long, first_non_finite, (long n, const float *x), (n, x))
