// Attention over the sources of pairs, lane by lane.

enum { ATTENTION_ROWS = 4, ATTENTION_VECTORS = 4 };

/// c[i, j] = a[i] . b[j] for i < rows and j < columns, which are constants where this is inlined.
INLINE void dot_block(long rows, long columns, long n, const float *a, long lda, const float *b, long ldb,
                      float *c, long ldc) {
  floats sums[ATTENTION_ROWS][ATTENTION_ROWS];
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) sums[i][j] = 0;
  for (long k = 0; k < n; k += WIDTH) {
    part left = part_of(n - k);
    floats y[ATTENTION_ROWS];
    for (long j = 0; j < columns; j++) y[j] = load_part(b + j * ldb + k, left);
    for (long i = 0; i < rows; i++) {
      floats x = load_part(a + i * lda + k, left);
      for (long j = 0; j < columns; j++) sums[i][j] += x * y[j];
    }
  }
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) c[i * ldc + j] = sum_of(sums[i][j]);
}

/// Rows of that against all of b's.
INLINE void dot_rows(long rows, long columns, long n, const float *a, long lda, const float *b, long ldb,
                     float *c, long ldc) {
  long j = 0;
  for (; j + ATTENTION_ROWS <= columns; j += ATTENTION_ROWS)
    dot_block(rows, ATTENTION_ROWS, n, a, lda, b + j * ldb, ldb, c + j, ldc);
  for (; j < columns; j++) dot_block(rows, 1, n, a, lda, b + j * ldb, ldb, c + j, ldc);
}

static void source_products(long steps, long lanes, long width, const int32_t *lengths, const float *q,
                            const float *k, float *a, long lda) {
  long step = lanes * width;
  for (long b = 0; b < lanes; b++) {
    const float *qb = q + b * width, *kb = k + b * width;
    float *ab = a + b * lda;
    long t = 0;
    for (; t + ATTENTION_ROWS <= steps; t += ATTENTION_ROWS)
      dot_rows(ATTENTION_ROWS, lengths[b], width, qb + t * step, step, kb, step, ab + t * lanes * lda,
               lanes * lda);
    for (; t < steps; t++)
      dot_rows(1, lengths[b], width, qb + t * step, step, kb, step, ab + t * lanes * lda, lanes * lda);
  }
}

/// y[i] = sum over r < count of a[i ai + r ar] x[r] for i < rows, in `vectors` vectors of columns, or += ; `rows` and
/// `vectors` are constants where this is inlined. Only one vector may be a part.
INLINE void sum_block(long rows, long vectors, part left, long count, const float *a, long ai, long ar,
                      const float *x, long ldx, float *y, long ldy, bool accumulate) {
  floats sums[ATTENTION_ROWS][ATTENTION_VECTORS];
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < vectors; j++)
      sums[i][j] = accumulate ? load_part(y + i * ldy + j * WIDTH, left) : (floats)0.0f;
  for (long r = 0; r < count; r++) {
    floats v[ATTENTION_VECTORS];
    for (long j = 0; j < vectors; j++) v[j] = load_part(x + r * ldx + j * WIDTH, left);
    for (long i = 0; i < rows; i++) {
      float factor = a[i * ai + r * ar];
      for (long j = 0; j < vectors; j++) sums[i][j] += factor * v[j];
    }
  }
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < vectors; j++) store_part(y + i * ldy + j * WIDTH, sums[i][j], left);
}

INLINE void sum_rows(long rows, long n, long count, const float *a, long ai, long ar, const float *x, long ldx,
                     float *y, long ldy, bool accumulate) {
  enum { COLUMNS = ATTENTION_VECTORS * WIDTH };
  long j = 0;
  for (; j + COLUMNS <= n; j += COLUMNS)
    sum_block(rows, ATTENTION_VECTORS, part_of(WIDTH), count, a, ai, ar, x + j, ldx, y + j, ldy, accumulate);
  for (; j < n; j += WIDTH)
    sum_block(rows, 1, part_of(n - j), count, a, ai, ar, x + j, ldx, y + j, ldy, accumulate);
}

/// That of any number of rows.
INLINE void sum_all_rows(long rows, long n, long count, const float *a, long ai, long ar, const float *x,
                         long ldx, float *y, long ldy, bool accumulate) {
  long i = 0;
  for (; i + ATTENTION_ROWS <= rows; i += ATTENTION_ROWS)
    sum_rows(ATTENTION_ROWS, n, count, a + i * ai, ai, ar, x, ldx, y + i * ldy, ldy, accumulate);
  for (; i < rows; i++) sum_rows(1, n, count, a + i * ai, ai, ar, x, ldx, y + i * ldy, ldy, accumulate);
}

static void source_sums(long steps, long lanes, long width, const int32_t *lengths, const float *a, long lda,
                        const float *k, float *y, bool accumulate) {
  long step = lanes * width;
  for (long b = 0; b < lanes; b++)
    sum_all_rows(steps, width, lengths[b], a + b * lda, lanes * lda, 1, k + b * width, step, y + b * width,
                 step, accumulate);
}

static void add_to_source(long steps, long lanes, long width, const int32_t *lengths, const float *a, long lda,
                          const float *y, float *k) {
  long step = lanes * width;
  for (long b = 0; b < lanes; b++)
    sum_all_rows(lengths[b], width, steps, a + b * lda, 1, lanes * lda, y + b * width, step, k + b * width,
                 step, true);
}

static void additive_scores(long steps, long lanes, long width, const int32_t *lengths, const float *q,
                            const float *k, const float *v, float *a, long lda) {
  for (long r = 0; r < steps * lanes; r++)
    for (long s = 0; s < lengths[r % lanes]; s++) {
      const float *row = k + (s * lanes + r % lanes) * width;
      floats sum = 0;
      for (long j = 0; j < width; j += WIDTH) {
        part left = part_of(width - j);
        floats u = hyperbolic_tangent(load_part(q + r * width + j, left) + load_part(row + j, left));
        sum += load_part(v + j, left) * u;
      }
      a[r * lda + s] = sum_of(sum);
    }
}

static void additive_scores_backward(long steps, long lanes, long width, const int32_t *lengths,
                                     const float *q, const float *k, const float *v, const float *a, long lda,
                                     float *dq, float *dk, float *dv) {
  long step = lanes * width;
  for (long b = 0; b < lanes; b++)
    for (long j = 0; j < width; j += WIDTH) {
      part left = part_of(width - j);
      floats vj = load_part(v + j, left), dvj = load_part(dv + b * width + j, left);
      for (long t = 0; t < steps; t++) {
        long at = t * step + b * width + j;
        const float *da = a + (t * lanes + b) * lda;
        floats qj = load_part(q + at, left), dqj = 0;
        for (long s = 0; s < lengths[b]; s++) {
          long place = s * step + b * width + j;
          floats u = hyperbolic_tangent(qj + load_part(k + place, left));
          floats d = da[s] * vj * (1.0f - u * u);
          dvj += da[s] * u;
          dqj += d;
          store_part(dk + place, load_part(dk + place, left) + d, left);
        }
        store_part(dq + at, dqj, left);
      }
      store_part(dv + b * width + j, dvj, left);
    }
}

static void source_softmax(long steps, long lanes, const int32_t *lengths, float scale, float *a, long lda) {
  for (long r = 0; r < steps * lanes; r++) {
    float *x = a + r * lda;
    long n = lengths[r % lanes];
    memset(x + n, 0, (size_t)(lda - n) * sizeof *x);
    if (n == 0) continue;
    for (long s = 0; s < n; s++) x[s] *= scale;
    st_extremes of = largest_of(n, x);
    float inverse = (float)(1 / sum_exponentials(n, x, of.largest, x));
    for (long s = 0; s < n; s++) x[s] = x[s] * inverse + of.poison;
  }
}

static void source_softmax_backward(long steps, long lanes, const int32_t *lengths, float scale,
                                    const float *a, float *da, long lda) {
  for (long r = 0; r < steps * lanes; r++) {
    const float *x = a + r * lda;
    float *dx = da + r * lda;
    long n = lengths[r % lanes];
    float mean = product_of_rows(n, x, dx);
    for (long s = 0; s < n; s++) dx[s] = scale * (x[s] * (dx[s] - mean));
  }
}
