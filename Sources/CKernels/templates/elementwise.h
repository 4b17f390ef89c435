// Loops over arrays. The compiler vectorises those that are written with plain numbers.

static void add(long n, const float *a, const float *b, float *out) {
  for (long i = 0; i < n; i++) out[i] = a[i] + b[i];
}

static void fill_rows(long rows, long n, const float *a, float *c, long ldc) {
  for (long r = 0; r < rows; r++) memcpy(c + r * ldc, a, (size_t)n * sizeof *a);
}

static void scale_columns(long rows, long n, const float *d, const float *x, bool accumulate, float *y) {
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats v = load_part(d + j, left) * load_part(x + r * n + j, left);
      store_part(y + r * n + j, accumulate ? load_part(y + r * n + j, left) + v : v, left);
    }
}

static void add_column_sums(long n, long rows, long lanes, long stride, const float *x, long ldx,
                            float *sums) {
  long r = 0;
  // Four rows a pass over the sums, added one after another.
  for (; r + 4 <= rows; r += 4) {
    const float *restrict x0 = x + lane_row(r, lanes, stride) * ldx;
    const float *restrict x1 = x + lane_row(r + 1, lanes, stride) * ldx;
    const float *restrict x2 = x + lane_row(r + 2, lanes, stride) * ldx;
    const float *restrict x3 = x + lane_row(r + 3, lanes, stride) * ldx;
    for (long j = 0; j < n; j++) sums[j] = (((sums[j] + x0[j]) + x1[j]) + x2[j]) + x3[j];
  }
  for (; r < rows; r++) {
    const float *row = x + lane_row(r, lanes, stride) * ldx;
    for (long j = 0; j < n; j++) sums[j] += row[j];
  }
}

INLINE float product_of_rows(long n, const float *x, const float *y) {
  floats sum = 0;
  for (long j = 0; j < n; j += WIDTH) {
    part left = part_of(n - j);
    sum += load_part(x + j, left) * load_part(y + j, left);
  }
  return sum_of(sum);
}

static void row_products(long rows, long n, const float *x, const float *y, float *products) {
  for (long r = 0; r < rows; r++) products[r] = product_of_rows(n, x + r * n, y + r * n);
}

static void unit_rows_forward(long rows, long n, const float *x, float epsilon, float *inverse_length,
                              float *y) {
  for (long r = 0; r < rows; r++) {
    float length = sqrtf(product_of_rows(n, x + r * n, x + r * n));
    // Written so that a NaN stays one.
    float inverse = 1 / (length < epsilon ? epsilon : length);
    inverse_length[r] = inverse;
    for (long j = 0; j < n; j++) y[r * n + j] = x[r * n + j] * inverse;
  }
}

static void unit_rows_backward(long rows, long n, const float *dy, const float *y, const float *inverse_length,
                               float *dx) {
  for (long r = 0; r < rows; r++) {
    float along = product_of_rows(n, dy + r * n, y + r * n);
    for (long j = 0; j < n; j++)
      dx[r * n + j] = (dy[r * n + j] - along * y[r * n + j]) * inverse_length[r];
  }
}

static void add_column_products(long n, long rows, long lanes, long stride, const float *x, const float *y,
                                long ld, float *sums) {
  for (long r = 0; r < rows; r++) {
    const float *xr = x + lane_row(r, lanes, stride) * ld, *yr = y + lane_row(r, lanes, stride) * ld;
    for (long j = 0; j < n; j++) sums[j] += xr[j] * yr[j];
  }
}

static void gather_rows(long rows, long n, const float *table, const int32_t *index, float *out) {
  for (long r = 0; r < rows; r++) memcpy(out + r * n, table + index[r] * n, (size_t)n * sizeof *out);
}

static void round_rows(long n, long rows, long lanes, long stride, const float *x, long ldx, uint16_t *out) {
  for (long r = 0; r < rows; r++, out += n) {
    const float *row = x + lane_row(r, lanes, stride) * ldx;
    long j = 0;
    for (; j + WIDTH <= n; j += WIDTH) {
      halves bits = to_bfloat16(load(row + j));
      memcpy(out + j, &bits, sizeof bits);
    }
    halves bits = to_bfloat16(load_part(row + j, part_of(n - j)));
    memcpy(out + j, &bits, (size_t)(n - j) * sizeof *out);
  }
}

static void scatter_add_rows(long n, long rows, long lanes, long stride, const float *x, long ldx,
                             const int32_t *index, float *out) {
  for (long r = 0; r < rows; r++) {
    long from = lane_row(r, lanes, stride);
    const float *row = x + from * ldx;
    float *to = out + index[from] * n;
    for (long j = 0; j < n; j++) to[j] += row[j];
  }
}

static void layer_norm_forward(long rows, long n, const float *x, const float *gain, const float *bias,
                               float epsilon, float *normalized, float *inverse_deviation, float *y) {
  for (long r = 0; r < rows; r++) {
    const float *xr = x + r * n;
    floats sum = 0, squares = 0;
    for (long j = 0; j < n; j += WIDTH) sum += load_part(xr + j, part_of(n - j));
    float mean = sum_of(sum) / (float)n;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      // Absent elements are made to deviate by nothing.
      store_part(normalized + r * n + j, load_part(xr + j, left) - mean, left);
      floats deviation = load_part(normalized + r * n + j, left);
      squares += deviation * deviation;
    }
    float inverse = 1 / __builtin_sqrtf(sum_of(squares) / (float)n + epsilon);
    inverse_deviation[r] = inverse;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats unit = load_part(normalized + r * n + j, left) * inverse;
      store_part(normalized + r * n + j, unit, left);
      store_part(y + r * n + j, unit * load_part(gain + j, left) + load_part(bias + j, left), left);
    }
  }
}

static void layer_norm_backward(long rows, long n, const float *dy, const float *normalized,
                                const float *inverse_deviation, const float *gain, float *dx) {
  for (long r = 0; r < rows; r++) {
    const float *dyr = dy + r * n, *unit = normalized + r * n;
    floats sum = 0, products = 0;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats d = load_part(dyr + j, left) * load_part(gain + j, left);
      sum += d;
      products += d * load_part(unit + j, left);
    }
    float mean = sum_of(sum) / (float)n, slope = sum_of(products) / (float)n;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats d = load_part(dyr + j, left) * load_part(gain + j, left);
      store_part(dx + r * n + j, (d - mean - load_part(unit + j, left) * slope) * inverse_deviation[r], left);
    }
  }
}

static void rms_norm_forward(long rows, long n, const float *x, const float *gain, float epsilon,
                             float *normalized, float *inverse_root, float *y) {
  for (long r = 0; r < rows; r++) {
    floats squares = 0;
    for (long j = 0; j < n; j += WIDTH) {
      floats v = load_part(x + r * n + j, part_of(n - j));
      squares += v * v;
    }
    float inverse = 1 / __builtin_sqrtf(sum_of(squares) / (float)n + epsilon);
    inverse_root[r] = inverse;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats unit = load_part(x + r * n + j, left) * inverse;
      store_part(normalized + r * n + j, unit, left);
      store_part(y + r * n + j, unit * load_part(gain + j, left), left);
    }
  }
}

static void rms_norm_backward(long rows, long n, const float *dy, const float *normalized,
                              const float *inverse_root, const float *gain, float *dx) {
  for (long r = 0; r < rows; r++) {
    const float *dyr = dy + r * n, *unit = normalized + r * n;
    floats products = 0;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      products += load_part(dyr + j, left) * load_part(gain + j, left) * load_part(unit + j, left);
    }
    float slope = sum_of(products) / (float)n;
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats d = load_part(dyr + j, left) * load_part(gain + j, left);
      store_part(dx + r * n + j, (d - load_part(unit + j, left) * slope) * inverse_root[r], left);
    }
  }
}

static double sum_of_squares(long n, const float *x) {
  doubles even = 0, odd = 0;
  for (long i = 0; i < n; i += WIDTH) {
    floats v = load_part(x + i, part_of(n - i));
    doubles low = low_doubles(v), high = high_doubles(v);
    even += low * low;
    odd += high * high;
  }
  return sum_of_doubles(even + odd);
}

static long first_non_finite(long n, const float *x) {
  enum { CHECKED = 1024 };
  for (long i = 0; i < n; i += CHECKED) {
    long end = n - i < CHECKED ? n : i + CHECKED;
    floats poison = 0;
    for (long j = i; j < end; j += WIDTH) poison += load_part(x + j, part_of(end - j)) * 0.0f;
    if (sum_of(poison) == 0) continue;
    for (long j = i; j < end; j++)
      if (x[j] * 0.0f != 0) return j;
  }
  return -1;
}
