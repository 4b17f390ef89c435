// The packed forms of the factors.
//
// B is cut into panels of PANEL columns, one after another, [K][PANEL] each; the last one is as many whole
// vectors wide as it needs. A, where it is used by columns, is cut into groups of WIDTH columns, [K][WIDTH]
// each.

INLINE long at_most(long n, long bound) { return n < bound ? n : bound; }
INLINE long at_least(long n, long bound) { return n > bound ? n : bound; }
INLINE long whole_vectors(long n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }
INLINE floats rounded(floats x, bool round) { return round ? round_to_bfloat16(x) : x; }

/// Transposes 16 x 16 floats: four times each vector and the one eight further on are interleaved.
INLINE void transpose(floats rows[WIDTH]) {
#pragma clang loop unroll(full)
  for (int round = 0; round < 4; round++) {
    floats next[WIDTH];
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
      floats x = rows[i], y = rows[i + 8];
      next[2 * i] = __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] =
          __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    memcpy(rows, next, sizeof next);
  }
}

static long panel_columns(void) { return PANEL; }

static size_t packed_size(long n, long k) { return (size_t)whole_vectors(n) * (size_t)k; }

static void pack_forward(long n, long k, const float *w, long ldw, bool round_inputs, float *packed) {
  for (long j = 0; j < n; j += WIDTH) {
    long start = j / PANEL * PANEL, width = at_most(whole_vectors(n - start), PANEL);
    float *to = packed + start * k + (j - start);
    for (long p = 0; p < k; p += WIDTH) {
      part left = part_of(k - p);
      floats rows[WIDTH];
#pragma clang loop unroll(full)
      for (int i = 0; i < WIDTH; i++)
        rows[i] = j + i < n ? load_part(w + (j + i) * ldw + p, left) : (floats)0;
      transpose(rows);
      long depth = at_most(k - p, WIDTH);
      for (int i = 0; i < depth; i++) store(to + (p + i) * width, rounded(rows[i], round_inputs));
    }
  }
}

/// Packs rows lane_row(first) to lane_row(first + k - 1) of W[., n] as B.
static void pack_panels(long n, long k, const float *w, long ldw, long first, long lanes, long stride,
                        bool round, float *packed) {
  for (long p = 0; p < k; p++) {
    const float *row = w + lane_row(first + p, lanes, stride) * ldw;
    for (long start = 0; start < n; start += PANEL) {
      long width = at_most(whole_vectors(n - start), PANEL);
      float *to = packed + start * k + p * width;
      for (long j = 0; j < width; j += WIDTH)
        store(to + j, rounded(load_part(row + start + j, part_of(n - start - j)), round));
    }
  }
}

static void pack_input_gradient(long n, long k, const float *w, long ldw, bool round_inputs, float *packed) {
  pack_panels(n, k, w, ldw, 0, 1, 1, round_inputs, packed);
}

/// Floats from one group of columns of A to the next: never a multiple of 4096 bytes, so that the groups of a
/// row do not share one set of the cache.
INLINE long group_step(long k) { return k * WIDTH + WIDTH; }

/// Packs rows lane_row(first) to lane_row(first + k - 1) of A[., m] by columns.
static void pack_columns(long m, long k, const float *a, long lda, long first, long lanes, long stride,
                         bool round, float *packed) {
  for (long p = 0; p < k; p++) {
    const float *row = a + lane_row(first + p, lanes, stride) * lda;
    float *to = packed + p * WIDTH;
    for (long i = 0; i < m; i += WIDTH, to += group_step(k))
      store(to, rounded(load_part(row + i, part_of(m - i)), round));
  }
}

/// Copies A[m, k], rounded to bfloat16, its rows k + WIDTH apart: no power of two, for the sets of the cache.
static void copy_rounded(long m, long k, const float *a, long lda, float *copy) {
  for (long i = 0; i < m; i++)
    for (long p = 0; p < k; p += WIDTH) {
      part n = part_of(k - p);
      store_part(copy + i * (k + WIDTH) + p, round_to_bfloat16(load_part(a + i * lda + p, n)), n);
    }
}
