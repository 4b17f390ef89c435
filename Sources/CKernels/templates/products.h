// Matrix products: a register tile at the heart, packed panels of B around it, blocks of K around those.
//
// B is packed into panels of PANEL columns, [K][PANEL] each, so that a tile reads it in one stream; the last
// panel is as many whole vectors wide as it needs. A is read where it stands, or from a packed block of its
// columns. Every element of C has one accumulator, summed by fused multiply-adds in ascending k over DEPTH
// products, and these sums are added to C one after another: neither M, N nor the tile an element falls in is
// in its bits.

enum {
#if ST_AVX512
  TILE_ROWS = 8,
  TILE_VECTORS = 3,
#elif ST_AVX2 || defined(__aarch64__)
  TILE_ROWS = 6,
  TILE_VECTORS = 1,
#else
  TILE_ROWS = 3,
  TILE_VECTORS = 1,
#endif
  PANEL = TILE_VECTORS * WIDTH,
  DEPTH = 256,               // products summed before they are added to C
  ROW_BLOCK = 240,           // rows of A that stay in the cache while B passes
  COLUMN_BLOCK = 960,        // columns of B packed at a time
  ROW_STEP = DEPTH + WIDTH,  // between rows of a copy of A: no power of two, so that they share no cache set
};

static size_t product_scratch(void) { return (size_t)DEPTH * COLUMN_BLOCK + (size_t)ROW_BLOCK * ROW_STEP; }

INLINE long at_most(long n, long bound) { return n < bound ? n : bound; }

// The register tile.

/// C[rows, columns] = or += A[rows, k] B[k, columns], `columns` filling `vectors` vectors, the last one
/// perhaps partly. Element (i, p) of A stands at a[i row_step + p depth_step], row p of B at b + p vectors
/// WIDTH.
INLINE void tile(int rows, int vectors, long k, const float *a, long row_step, long depth_step,
                 const float *b, float *c, long ldc, part last, bool add) {
  floats sum[TILE_ROWS][TILE_VECTORS];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) sum[i][j] = 0;
  for (long p = 0; p < k; p++) {
    floats row[TILE_VECTORS];
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) row[j] = load(b + (p * vectors + j) * WIDTH);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      floats factor = a[i * row_step + p * depth_step];
#pragma clang loop unroll(full)
      for (int j = 0; j < vectors; j++) sum[i][j] += factor * row[j];
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
      float *at = c + i * ldc + j * WIDTH;
      part n = j == vectors - 1 ? last : part_of(WIDTH);
      store_part(at, add ? load_part(at, n) + sum[i][j] : sum[i][j], n);
    }
  }
}

typedef void tile_function(long k, const float *a, long row_step, const float *b, float *c, long ldc,
                           part last, bool add);

// A tile of each size, A by rows (as it stands) and by columns (packed).
#define TILE(rows, vectors)                                                                            \
  static void tile_##rows##_##vectors(long k, const float *a, long row_step, const float *b, float *c, \
                                      long ldc, part last, bool add) {                                 \
    tile(rows, vectors, k, a, row_step, 1, b, c, ldc, last, add);                                      \
  }                                                                                                    \
  static void column_tile_##rows##_##vectors(long k, const float *a, long row_step, const float *b,    \
                                             float *c, long ldc, part last, bool add) {                \
    (void)row_step;                                                                                    \
    tile(rows, vectors, k, a, 1, rows, b, c, ldc, last, add);                                          \
  }

#if ST_AVX512
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define ENTRIES(name, rows) {name##_##rows##_1, name##_##rows##_2, name##_##rows##_3}
TILES(1)
TILES(2) TILES(3) TILES(4) TILES(5) TILES(6) TILES(7) TILES(8)
#define ALL_ENTRIES(name)                                                  \
  {ENTRIES(name, 1), ENTRIES(name, 2), ENTRIES(name, 3), ENTRIES(name, 4), \
   ENTRIES(name, 5), ENTRIES(name, 6), ENTRIES(name, 7), ENTRIES(name, 8)}
#else
#define ENTRIES(name, rows) {name##_##rows##_1}
TILE(1, 1)
TILE(2, 1) TILE(3, 1)
#if ST_AVX2 || defined(__aarch64__)
    TILE(4, 1) TILE(5, 1) TILE(6, 1)
#define ALL_ENTRIES(name) \
  {ENTRIES(name, 1), ENTRIES(name, 2), ENTRIES(name, 3), ENTRIES(name, 4), ENTRIES(name, 5), ENTRIES(name, 6)}
#else
#define ALL_ENTRIES(name) {ENTRIES(name, 1), ENTRIES(name, 2), ENTRIES(name, 3)}
#endif
#endif

    static tile_function *const row_tiles[TILE_ROWS][TILE_VECTORS] = ALL_ENTRIES(tile);
static tile_function *const column_tiles[TILE_ROWS][TILE_VECTORS] = ALL_ENTRIES(column_tile);

// Tiles of rows: as few as will do, and all of nearly one size.
INLINE long tiles_of(long m) { return (m + TILE_ROWS - 1) / TILE_ROWS; }
INLINE long tile_start(long m, long tiles, long t) { return m * t / tiles; }

/// C[m, n] = or += A[m, k] B[k, n] for one block of k <= DEPTH. Panel j of B starts at b + j panel_step. A is
/// packed by columns when row_step is 0.
static void multiply_block(long m, long n, long k, const float *a, long row_step, const float *b,
                           long panel_step, float *c, long ldc, bool add) {
  long tiles = tiles_of(m);
  for (long j = 0; j < n; j += PANEL) {
    long columns = at_most(n - j, PANEL);
    long vectors = (columns + WIDTH - 1) / WIDTH;
    part last = part_of(columns - (vectors - 1) * WIDTH);
    const float *panel = b + j / PANEL * panel_step;
    for (long t = 0; t < tiles; t++) {
      long i = tile_start(m, tiles, t);
      long rows = tile_start(m, tiles, t + 1) - i;
      if (row_step)
        row_tiles[rows - 1][vectors - 1](k, a + i * row_step, row_step, panel, c + i * ldc + j, ldc, last,
                                         add);
      else
        column_tiles[rows - 1][vectors - 1](k, a + i * k, 0, panel, c + i * ldc + j, ldc, last, add);
    }
  }
}

// Packing.

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

/// Packs k rows of `columns` <= PANEL columns of the transpose of W[columns, k] as one panel.
static void pack_transposed_panel(long k, long columns, const float *w, long ldw, bool round, float *panel) {
  long width = (columns + WIDTH - 1) / WIDTH * WIDTH;
  for (long j = 0; j < columns; j += WIDTH) {
    long n = at_most(columns - j, WIDTH);
    for (long p = 0; p < k; p += WIDTH) {
      part left = part_of(k - p);
      floats rows[WIDTH];
      for (int i = 0; i < WIDTH; i++) rows[i] = i < n ? load_part(w + (j + i) * ldw + p, left) : (floats)0;
      transpose(rows);
      long depth = at_most(k - p, WIDTH);
      for (int i = 0; i < depth; i++)
        store(panel + (p + i) * width + j, round ? round_to_bfloat16(rows[i]) : rows[i]);
    }
  }
}

/// Packs `columns` <= PANEL columns of k rows of W, row p being row lane_row(first + p) of it, as one panel.
static void pack_panel(long k, long columns, const float *w, long ldw, long first, long lanes, long stride,
                       bool round, float *panel) {
  for (long p = 0; p < k; p++) {
    const float *row = w + lane_row(first + p, lanes, stride) * ldw;
    for (long j = 0; j < columns; j += WIDTH, panel += WIDTH) {
      floats x = load_part(row + j, part_of(columns - j));
      store(panel, round ? round_to_bfloat16(x) : x);
    }
  }
}

/// Floats between one panel of k rows and the next.
INLINE long panel_size(long k) { return k * PANEL; }

static size_t packed_size(long n, long k) { return (size_t)(n + WIDTH - 1) / WIDTH * WIDTH * (size_t)k; }

static void pack_forward(long n, long k, const float *w, long ldw, bool round_inputs, float *packed) {
  for (long j = 0; j < n; j += PANEL, packed += panel_size(k))
    pack_transposed_panel(k, at_most(n - j, PANEL), w + j * ldw, ldw, round_inputs, packed);
}

static void pack_input_gradient(long n, long k, const float *w, long ldw, bool round_inputs, float *packed) {
  for (long j = 0; j < n; j += PANEL, packed += panel_size(k))
    pack_panel(k, at_most(n - j, PANEL), w + j, ldw, 0, 1, 1, round_inputs, packed);
}

/// A copy of A[m, k], rounded to bfloat16, its rows ROW_STEP apart.
static void copy_rounded(long m, long k, const float *a, long lda, float *copy) {
  for (long i = 0; i < m; i++)
    for (long p = 0; p < k; p += WIDTH) {
      part n = part_of(k - p);
      store_part(copy + i * ROW_STEP + p, round_to_bfloat16(load_part(a + i * lda + p, n)), n);
    }
}

/// Packs columns [0, m) of k rows of A as `multiply_block` reads them by columns: tile after tile, [k][rows]
/// each.
static void pack_columns(long m, long k, const float *a, long lda, long first, long lanes, long stride,
                         bool round, float *packed) {
  long tiles = tiles_of(m);
  for (long p = 0; p < k; p++) {
    const float *row = a + lane_row(first + p, lanes, stride) * lda;
    for (long t = 0; t < tiles; t++) {
      long i = tile_start(m, tiles, t);
      long rows = tile_start(m, tiles, t + 1) - i;
      part n = part_of(rows);
      floats x = load_part(row + i, n);
      store_part(packed + i * k + p * rows, round ? round_to_bfloat16(x) : x, n);
    }
  }
}

// The products.

/// C[m, n] = or += A[m, k] B for one block of k and a packed block of B.
static void multiply_rows(long m, long n, long k, const float *a, long lda, const float *b, long panel_step,
                          float *c, long ldc, bool add, bool round, float *scratch) {
  for (long i = 0; i < m; i += ROW_BLOCK) {
    long rows = at_most(m - i, ROW_BLOCK);
    const float *block = a + i * lda;
    if (round) copy_rounded(rows, k, block, lda, scratch);
    multiply_block(rows, n, k, round ? scratch : block, round ? ROW_STEP : lda, b, panel_step, c + i * ldc,
                   ldc, add);
  }
}

INLINE void clear(long m, long n, float *c, long ldc) {
  for (long i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof *c);
}

static void product_packed(long m, long n, long k, const float *a, long lda, const float *packed, float *c,
                           long ldc, bool accumulate, bool round_inputs, float *scratch) {
  if (k == 0 && !accumulate) clear(m, n, c, ldc);
  for (long p = 0; p < k; p += DEPTH) {
    long depth = at_most(k - p, DEPTH);
    // The last panel may be narrower, and its rows closer together.
    long whole = n / PANEL * PANEL, rest = n - whole;
    multiply_rows(m, whole, depth, a + p, lda, packed + p * PANEL, panel_size(k), c, ldc, accumulate || p > 0,
                  round_inputs, scratch);
    if (rest) {
      const float *panel = packed + whole * k + p * ((rest + WIDTH - 1) / WIDTH * WIDTH);
      multiply_rows(m, rest, depth, a + p, lda, panel, 0, c + whole, ldc, accumulate || p > 0, round_inputs,
                    scratch);
    }
  }
}

static void product_forward(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                            float *c, long ldc, bool accumulate, bool round_inputs, float *scratch) {
  if (k == 0 && !accumulate) clear(m, n, c, ldc);
  float *copy = scratch + DEPTH * COLUMN_BLOCK;
  for (long j = 0; j < n; j += COLUMN_BLOCK) {
    long columns = at_most(n - j, COLUMN_BLOCK);
    for (long p = 0; p < k; p += DEPTH) {
      long depth = at_most(k - p, DEPTH);
      pack_forward(columns, depth, w + j * ldw + p, ldw, round_inputs, scratch);
      multiply_rows(m, columns, depth, a + p, lda, scratch, panel_size(depth), c + j, ldc,
                    accumulate || p > 0, round_inputs, copy);
    }
  }
}

static void product_input_gradient(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                                   float *c, long ldc, bool accumulate, bool round_inputs, float *scratch) {
  if (k == 0 && !accumulate) clear(m, n, c, ldc);
  float *copy = scratch + DEPTH * COLUMN_BLOCK;
  for (long j = 0; j < n; j += COLUMN_BLOCK) {
    long columns = at_most(n - j, COLUMN_BLOCK);
    for (long p = 0; p < k; p += DEPTH) {
      long depth = at_most(k - p, DEPTH);
      pack_input_gradient(columns, depth, w + p * ldw + j, ldw, round_inputs, scratch);
      multiply_rows(m, columns, depth, a + p, lda, scratch, panel_size(depth), c + j, ldc,
                    accumulate || p > 0, round_inputs, copy);
    }
  }
}

static void product_weight_gradient(long m, long n, long rows, long lanes, long stride, const float *a,
                                    long lda, const float *b, long ldb, float *c, long ldc, bool round_inputs,
                                    float *scratch) {
  float *columns_of_a = scratch + DEPTH * COLUMN_BLOCK;
  for (long j = 0; j < n; j += COLUMN_BLOCK) {
    long columns = at_most(n - j, COLUMN_BLOCK);
    for (long p = 0; p < rows; p += DEPTH) {
      long depth = at_most(rows - p, DEPTH);
      float *panel = scratch;
      for (long q = 0; q < columns; q += PANEL, panel += panel_size(depth))
        pack_panel(depth, at_most(columns - q, PANEL), b + j + q, ldb, p, lanes, stride, round_inputs, panel);
      for (long i = 0; i < m; i += ROW_BLOCK) {
        long block = at_most(m - i, ROW_BLOCK);
        pack_columns(block, depth, a + i, lda, p, lanes, stride, round_inputs, columns_of_a);
        multiply_block(block, columns, depth, columns_of_a, 0, scratch, panel_size(depth), c + i * ldc + j,
                       ldc, true);
      }
    }
  }
}
