// Attention: a panel of queries, one in each element of some vectors, passes over blocks of keys. Scores are kept [keys][queries],
// so that neither the softmax sums within vectors nor any product has to pack them.

enum {
  QUERY_VECTORS = TILE_VECTORS < 2 ? TILE_VECTORS : 2,
  QUERIES = QUERY_VECTORS * WIDTH,
  KEYS = 64,
};

/// Rows times a factor, with `turns` turned by those angles, or `back`.
INLINE void copy_head(long rows, long width, const float *x, long ldx, const float *turns, bool back,
                      float factor, float *y, long ldy) {
  long half = width / 2;
  for (long r = 0; r < rows; r++, x += ldx, y += ldy) {
    if (!turns) {
      for (long j = 0; j < width; j += WIDTH)
        store_part(y + j, factor * load_part(x + j, part_of(width - j)), part_of(width - j));
      continue;
    }
    for (long j = 0; j < half; j += WIDTH) {
      part n = part_of(half - j);
      floats a = factor * load_part(x + j, n), b = factor * load_part(x + half + j, n);
      floats cosine = load_part(turns + r * width + j, n), sine = load_part(turns + r * width + half + j, n);
      store_part(y + j, back ? a * cosine + b * sine : a * cosine - b * sine, n);
      store_part(y + half + j, back ? b * cosine - a * sine : a * sine + b * cosine, n);
    }
  }
}

static void gather_head(long rows, long width, const float *x, long stride, const float *turns, float factor,
                        float *out) {
  copy_head(rows, width, x, stride, turns, false, factor, out, width);
}

static void scatter_head(long rows, long width, const float *x, const float *turns, float factor, float *out,
                         long stride) {
  copy_head(rows, width, x, width, turns, true, factor, out, stride);
}

/// What the queries of a panel see.
typedef struct {
  integers first[QUERY_VECTORS], last[QUERY_VECTORS];
  long low, high;  // what any of them sees
  long whole_low, whole_high;  // what all of them see
} panel_view;

INLINE panel_view view_of(long queries, const int32_t *first, const int32_t *last) {
  // An absent query sees nothing.
  int32_t from[QUERIES], to[QUERIES];
  panel_view view = {.low = first[0], .high = last[0], .whole_low = first[0], .whole_high = last[0]};
  for (long u = 0; u < QUERIES; u++) {
    from[u] = u < queries ? first[u] : 0;
    to[u] = u < queries ? last[u] : -1;
    if (u >= queries) continue;
    view.low = at_most(view.low, first[u]);
    view.high = at_least(view.high, last[u]);
    view.whole_low = at_least(view.whole_low, first[u]);
    view.whole_high = at_most(view.whole_high, last[u]);
  }
  memcpy(view.first, from, sizeof from);
  memcpy(view.last, to, sizeof to);
  return view;
}

/// The score where that query of vector c sees the key; otherwise -infinity.
INLINE floats seen_score(floats score, const panel_view *view, long c, long key) {
  integers at = (int32_t)key;
  return ((view->first[c] <= at) & (at <= view->last[c])) ? score : (floats)-INFINITY;
}

/// C[m, .] = or += A B over some vectors of columns, `last` of the last. Element (i, p) of A stands at a[i lda + p] with
/// `row_tiles`, at a[i + p lda] with `standing_tiles`.
INLINE void panel_product(bool rows, long m, long vectors, long depth, const float *a, long lda,
                          const float *b, float *c, long ldc, part last, bool add) {
  tile_job job = {.depth = depth, .row_step = lda, .b = b, .ldc = ldc, .last = last, .add = add, .next = b};
  long tiles = tiles_of(m);
  for (long t = 0; t < tiles; t++) {
    long start = tile_start(m, tiles, t), size = tile_start(m, tiles, t + 1) - start;
    job.a = a + start * (rows ? lda : 1);
    job.c = c + start * ldc;
    (rows ? row_tiles : standing_tiles)[size - 1][vectors - 1](&job);
  }
}

/// C[m, width] += A[m, depth] B, B packed by `pack_input_gradient`.
INLINE void add_product(long m, long width, long depth, const float *a, long lda, const float *packed,
                        float *c) {
  for (long j = 0; j < width; j += PANEL) {
    long columns = at_most(width - j, PANEL), vectors = whole_vectors(columns) / WIDTH;
    panel_product(true, m, vectors, depth, a, lda, packed + j * depth, c + j, width,
                  part_of(columns - (vectors - 1) * WIDTH), true);
  }
}

/// out[u][i] = x[i][u] times factor[u] for u < queries, i < width; x [width][vectors WIDTH], out in rows of `stride`.
INLINE void store_transposed(long queries, long width, long vectors, const float *x, const floats *factor,
                             float *out, long stride) {
  for (long c = 0; c < vectors; c++)
    for (long i = 0; i < width; i += WIDTH) {
      floats rows[WIDTH];
#pragma clang loop unroll(full)
      for (int a = 0; a < WIDTH; a++)
        rows[a] = i + a < width ? load(x + ((i + a) * vectors + c) * WIDTH) * factor[c] : (floats)0;
      transpose(rows);
      for (long u = 0; u < at_most(queries - c * WIDTH, WIDTH); u++)
        store_part(out + (c * WIDTH + u) * stride + i, rows[u], part_of(width - i));
    }
}

static size_t attention_scratch(long width) {
  return (size_t)(3 * width + 2 * whole_vectors(width) + 2 * KEYS) * QUERIES;
}

static void attention_forward(long queries, long width, const float *q, const float *k, const float *v,
                              const int32_t *first, const int32_t *last, float *y, long stride,
                              float *largest, float *inverse, float *scratch) {
  float *turned = scratch, *answers = turned + width * QUERIES, *scores = answers + width * QUERIES;
  part all = part_of(WIDTH);
  for (long u = 0; u < queries; u += QUERIES) {
    long count = at_most(queries - u, QUERIES), columns = whole_vectors(count), vectors = columns / WIDTH;
    panel_view view = view_of(count, first + u, last + u);
    pack_forward(count, width, q + u * width, width, false, turned);
    memset(answers, 0, (size_t)(width * columns) * sizeof *answers);
    floats most[QUERY_VECTORS], sum[QUERY_VECTORS];
    // Finite, so that a difference from -infinity is a number.
    for (long c = 0; c < vectors; c++) most[c] = -0x1p126f, sum[c] = 0;

    for (long j = view.low; j <= view.high; j += KEYS) {
      long keys = at_most(view.high + 1 - j, KEYS);
      bool whole = view.whole_low <= j && j + keys - 1 <= view.whole_high;
      panel_product(true, keys, vectors, width, k + j * width, width, turned, scores, columns, all, false);
      for (long c = 0; c < vectors; c++) {
        float *column = scores + c * WIDTH;
        floats now = most[c], added = 0;
        for (long i = 0; i < keys; i++) {
          floats score = load(column + i * columns);
          if (!whole) {
            score = seen_score(score, &view, c, j + i);
            store(column + i * columns, score);
          }
          now = score > now ? score : now;
        }
        for (long i = 0; i < keys; i++) {
          floats score = load(column + i * columns);
          floats p = score == -INFINITY ? (floats)0 : exponential(score - now);
          store(column + i * columns, p);
          added += p;
        }
        floats shrunk = exponential(most[c] - now);
        sum[c] = sum[c] * shrunk + added;
        most[c] = now;
        for (long i = 0; i < width; i++) {
          float *answer = answers + i * columns + c * WIDTH;
          store(answer, load(answer) * shrunk);
        }
      }
      panel_product(false, width, vectors, keys, v + j * width, width, scores, answers, columns, all, true);
    }

    for (long c = 0; c < vectors; c++) {
      part n = part_of(count - c * WIDTH);
      sum[c] = sum[c] == 0 ? (floats)0 : 1 / sum[c];
      store_part(largest + u + c * WIDTH, most[c], n);
      store_part(inverse + u + c * WIDTH, sum[c], n);
    }
    store_transposed(count, width, vectors, answers, sum, y + u * stride, stride);
  }
}

static void attention_backward(long queries, long width, const float *q, const float *k, const float *v,
                               const int32_t *first, const int32_t *last, const float *y, const float *dy,
                               long stride, const float *largest, const float *inverse, long wanted,
                               float *dq, float *dk, float *dv, float *scratch) {
  long packed = whole_vectors(width) * QUERIES;
  float *turned = scratch, *turned_dy = turned + width * QUERIES, *turned_dq = turned_dy + width * QUERIES;
  float *packed_q = turned_dq + width * QUERIES, *packed_dy = packed_q + packed;
  float *shares = packed_dy + packed, *gradients = shares + KEYS * QUERIES;
  part all = part_of(WIDTH);
  for (long u = 0; u < queries; u += QUERIES) {
    long count = at_most(queries - u, QUERIES), columns = whole_vectors(count), vectors = columns / WIDTH;
    panel_view view = view_of(count, first + u, last + u);
    pack_forward(count, width, q + u * width, width, false, turned);
    pack_forward(count, width, dy + u * stride, stride, false, turned_dy);
    pack_input_gradient(width, count, q + u * width, width, false, packed_q);
    pack_input_gradient(width, count, dy + u * stride, stride, false, packed_dy);
    memset(turned_dq, 0, (size_t)(width * columns) * sizeof *turned_dq);
    floats most[QUERY_VECTORS], scale[QUERY_VECTORS], mean[QUERY_VECTORS], one[QUERY_VECTORS];
    for (long c = 0; c < vectors; c++) {
      part n = part_of(count - c * WIDTH);
      most[c] = load_part(largest + u + c * WIDTH, n);
      scale[c] = load_part(inverse + u + c * WIDTH, n);
      one[c] = 1;
      // The mean of the gradients of the shares, weighted by them, is y . dy.
      float means[WIDTH] = {0};
      for (long i = 0; i < at_most(count - c * WIDTH, WIDTH); i++) {
        long row = (u + c * WIDTH + i) * stride;
        floats sum = 0;
        for (long j = 0; j < width; j += WIDTH)
          sum += load_part(y + row + j, part_of(width - j)) * load_part(dy + row + j, part_of(width - j));
        means[i] = sum_of(sum);
      }
      mean[c] = load(means);
    }

    for (long j = view.low; j <= view.high; j += KEYS) {
      long keys = at_most(view.high + 1 - j, KEYS);
      bool whole = view.whole_low <= j && j + keys - 1 <= view.whole_high;
      panel_product(true, keys, vectors, width, k + j * width, width, turned, shares, columns, all, false);
      panel_product(true, keys, vectors, width, v + j * width, width, turned_dy, gradients, columns, all,
                    false);
      for (long i = 0; i < keys; i++)
        for (long c = 0; c < vectors; c++) {
          long at = i * columns + c * WIDTH;
          floats score = load(shares + at);
          if (!whole) score = seen_score(score, &view, c, j + i);
          floats p = score == -INFINITY ? (floats)0 : exponential(score - most[c]) * scale[c];
          store(shares + at, p);
          store(gradients + at, p * (load(gradients + at) - mean[c]));
        }
      panel_product(false, width, vectors, keys, k + j * width, width, gradients, turned_dq, columns, all,
                    true);
      long skipped = at_most(at_least(wanted - j, 0), keys), at = (j + skipped) * width;
      add_product(keys - skipped, width, count, gradients + skipped * columns, columns, packed_q, dk + at);
      add_product(keys - skipped, width, count, shares + skipped * columns, columns, packed_dy, dv + at);
    }
    store_transposed(count, width, vectors, turned_dq, one, dq + u * width, width);
  }
}
