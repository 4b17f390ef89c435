// Matrix products: tiles in registers, packed panels of B around them, blocks of K and of rows around those.
//
// An element of C is the sum of its products over a block of k at a time, by fused multiply-adds in ascending
// k, and these sums are added to C one after another. Neither M, N nor the tile an element falls in is in its
// bits.

enum {
  DEPTH = 768,               // products summed before they are added to C, at most
  ROW_DEPTH = ST_ROW_DEPTH,  // the same where both factors are packed, for gradients of weights
  ROW_BLOCK = 128,           // rows (or columns) of A used at a time
  NEAR = ROW_BLOCK * DEPTH,  // floats of A, or of C, that stay in the cache while B passes
  COLUMN_BLOCK = 960,        // columns of B packed at a time
  SCRATCH_FOR_B = DEPTH * COLUMN_BLOCK,
  SCRATCH_FOR_A = NEAR + ROW_BLOCK * WIDTH + WIDTH,
};

static size_t product_scratch(void) { return SCRATCH_FOR_B + SCRATCH_FOR_A; }

/// The products summed before they are added to C: K in as few blocks as will do, all of nearly one size.
INLINE long block_depth(long k) {
  long blocks = at_least((k + DEPTH - 1) / DEPTH, 1);
  return whole_vectors((k + blocks - 1) / blocks);
}

// Rows go to as few tiles as will do, all of nearly one size.
INLINE long tiles_of(long rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }
INLINE long tile_start(long rows, long tiles, long t) { return rows * t / tiles; }

/// A job on a panel of B with what the panel settles: `columns` <= PANEL columns of C.
INLINE tile_job panel_job(long columns, long depth, const float *panel, long ldc, bool add, bool c_is_far) {
  part last = part_of(columns - (whole_vectors(columns) - WIDTH));
  return (tile_job){.depth = depth, .b = panel, .ldc = ldc, .last = last, .add = add, .c_is_far = c_is_far};
}

/// C[m, n] = or += A[m, k] B, A read where it stands and B packed, by blocks of k and of rows.
static void multiply(long m, long n, long k, const float *a, long lda, const float *packed, float *c,
                     long ldc, bool add, bool round, float *scratch) {
  bool c_is_far = m * n > NEAR;
  long most = block_depth(k);
  for (long i = 0; i < m; i += ROW_BLOCK) {
    long rows = at_most(m - i, ROW_BLOCK), tiles = tiles_of(rows);
    // As much of k at a time as lets the rows stay near. Where that is all of it, B is read in one stream.
    long group = at_least(NEAR / rows / most * most, most);
    for (long g = 0; g < k; g += group) {
      long depth = at_most(k - g, group), row_step = lda;
      const float *near = a + i * lda + g;
      if (round) {
        copy_rounded(rows, depth, near, lda, scratch);
        near = scratch;
        row_step = depth + WIDTH;
      }
      for (long j = 0; j < n; j += PANEL) {
        long columns = at_most(n - j, PANEL), width = whole_vectors(columns);
        const float *panel = packed + j * k + g * width;
        for (long p = 0; p < depth; p += most) {
          tile_job job = panel_job(columns, at_most(depth - p, most), panel + p * width, ldc,
                                   add || g + p > 0, c_is_far);
          const float *next = p + most < depth ? job.b + most * width : panel + k * PANEL;
          job.next_step = at_most(PANEL / tiles, WIDTH);
          job.row_step = row_step;
          for (long t = 0; t < tiles; t++) {
            long start = tile_start(rows, tiles, t), end = tile_start(rows, tiles, t + 1);
            job.a = near + start * row_step + p;
            job.c = c + (i + start) * ldc + j;
            job.next = next + t * job.next_step * job.depth;
            row_tiles[end - start - 1][width / WIDTH - 1](&job);
          }
        }
      }
    }
  }
}

/// C = 0 where there is nothing to sum.
INLINE bool is_empty(long m, long n, long k, float *c, long ldc, bool accumulate) {
  for (long i = 0; i < m && k == 0 && !accumulate; i++) memset(c + i * ldc, 0, (size_t)n * sizeof *c);
  return k == 0;
}

static void product_packed(long m, long n, long k, const float *a, long lda, const float *packed, float *c,
                           long ldc, bool accumulate, bool round_inputs, float *scratch) {
  if (is_empty(m, n, k, c, ldc, accumulate)) return;
  multiply(m, n, k, a, lda, packed, c, ldc, accumulate, round_inputs, scratch);
}

/// C[m, n] = or += A B for weights that are packed block by block: B = W^T with `transposed`, otherwise W.
INLINE void multiply_packing(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                             bool transposed, float *c, long ldc, bool accumulate, bool round,
                             float *scratch) {
  if (is_empty(m, n, k, c, ldc, accumulate)) return;
  long most = block_depth(k);
  for (long j = 0; j < n; j += COLUMN_BLOCK) {
    long columns = at_most(n - j, COLUMN_BLOCK);
    for (long p = 0; p < k; p += most) {
      long depth = at_most(k - p, most);
      if (transposed)
        pack_forward(columns, depth, w + j * ldw + p, ldw, round, scratch);
      else
        pack_input_gradient(columns, depth, w + p * ldw + j, ldw, round, scratch);
      multiply(m, columns, depth, a + p, lda, scratch, c + j, ldc, accumulate || p > 0, round,
               scratch + SCRATCH_FOR_B);
    }
  }
}

static void product_forward(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                            float *c, long ldc, bool accumulate, bool round_inputs, float *scratch) {
  multiply_packing(m, n, k, a, lda, w, ldw, true, c, ldc, accumulate, round_inputs, scratch);
}

static void product_input_gradient(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                                   float *c, long ldc, bool accumulate, bool round_inputs, float *scratch) {
  multiply_packing(m, n, k, a, lda, w, ldw, false, c, ldc, accumulate, round_inputs, scratch);
}

/// C[m, n] += A[k, m]^T B[k, n] for one block, both packed, A by columns.
static void multiply_columns(long m, long n, long k, const float *a, const float *b, float *c, long ldc) {
  for (long j = 0; j < n; j += PANEL) {
    long columns = at_most(n - j, PANEL);
    tile_job job = panel_job(columns, k, b + j * k, ldc, true, true);
    job.next = job.b;
    for (long i = 0; i < m; i += WIDTH) {
      long rows = at_most(m - i, WIDTH), tiles = tiles_of(rows);
      for (long t = 0; t < tiles; t++) {
        long start = tile_start(rows, tiles, t), end = tile_start(rows, tiles, t + 1);
        job.a = a + i / WIDTH * group_step(k) + start;
        job.c = c + (i + start) * ldc + j;
        column_tiles[end - start - 1][whole_vectors(columns) / WIDTH - 1](&job);
      }
    }
  }
}

static void product_weight_gradient(long m, long n, long rows, long lanes, long stride, const float *a,
                                    long lda, const float *b, long ldb, float *c, long ldc, bool round_inputs,
                                    float *scratch) {
  float *packed_a = scratch + SCRATCH_FOR_B;
  for (long j = 0; j < n; j += COLUMN_BLOCK) {
    long columns = at_most(n - j, COLUMN_BLOCK);
    for (long r = 0; r < rows; r += ROW_DEPTH) {
      long depth = at_most(rows - r, ROW_DEPTH);
      pack_panels(columns, depth, b + j, ldb, r, lanes, stride, round_inputs, scratch);
      for (long i = 0; i < m; i += ROW_BLOCK) {
        long block = at_most(m - i, ROW_BLOCK);
        pack_columns(block, depth, a + i, lda, r, lanes, stride, round_inputs, packed_a);
        multiply_columns(block, columns, depth, packed_a, scratch, c + i * ldc + j, ldc);
      }
    }
  }
}
