// Scans of diagonal linear systems of conjugate pairs.

enum { DIAGONAL_GROUP = 2 };  // pairs that stay in registers

/// The parts of a system, of some pairs of a vector of channels.
typedef struct {
  floats a_re[DIAGONAL_GROUP], a_im[DIAGONAL_GROUP], b_re[DIAGONAL_GROUP], b_im[DIAGONAL_GROUP];
  floats c_re[DIAGONAL_GROUP], c_im[DIAGONAL_GROUP];
} diagonal_system;

/// The six parts of a system [6, N, C], `plane` floats apart; `system` points to the first pair of the first.
INLINE diagonal_system load_system(const float *system, long plane, long channels, const int group, part left) {
  diagonal_system w;
  load_states(system, channels, group, left, w.a_re);
  load_states(system + plane, channels, group, left, w.a_im);
  load_states(system + 2 * plane, channels, group, left, w.b_re);
  load_states(system + 3 * plane, channels, group, left, w.b_im);
  load_states(system + 4 * plane, channels, group, left, w.c_re);
  load_states(system + 5 * plane, channels, group, left, w.c_im);
  return w;
}

INLINE void store_system(float *system, long plane, long channels, const int group, part left,
                         const diagonal_system *w) {
  store_states(system, channels, group, left, w->a_re);
  store_states(system + plane, channels, group, left, w->a_im);
  store_states(system + 2 * plane, channels, group, left, w->b_re);
  store_states(system + 3 * plane, channels, group, left, w->b_im);
  store_states(system + 4 * plane, channels, group, left, w->c_re);
  store_states(system + 5 * plane, channels, group, left, w->c_im);
}

/// Some steps of a vector of channels.
typedef struct {
  long first, count, channel;
  part left;
  floats x[ST_DIAGONAL_BLOCK];
  floats y[ST_DIAGONAL_BLOCK];
} diagonal_block;

/// Pairs n to n + group of a block, from h; adds what they say to y.
INLINE void diagonal_forward(const st_diagonal_scan *s, diagonal_block *block, long n, const int group,
                             float *h) {
  long channels = s->scan.channels, plane = s->scan.states * channels, at = n * channels + block->channel;
  diagonal_system w = load_system(s->system + at, plane, channels, group, block->left);
  floats re[DIAGONAL_GROUP], im[DIAGONAL_GROUP];
  load_states(h + at, channels, group, block->left, re);
  load_states(h + plane + at, channels, group, block->left, im);
  for (long k = 0; k < block->count; k++) {
    floats x = block->x[k], y = block->y[k];
    if (is_reset(&s->scan, block->first + k))
      for (int i = 0; i < group; i++) re[i] = im[i] = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < group; i++) {
      floats before = re[i];
      re[i] = w.a_re[i] * before + (w.b_re[i] * x - w.a_im[i] * im[i]);
      im[i] = w.a_re[i] * im[i] + (w.a_im[i] * before + w.b_im[i] * x);
      y = w.c_re[i] * re[i] + (y - w.c_im[i] * im[i]);
    }
    block->y[k] = y;
  }
  store_states(h + at, channels, group, block->left, re);
  store_states(h + plane + at, channels, group, block->left, im);
}

static void diagonal_scan_forward(const st_diagonal_scan *s, float *h, float *y) {
  const st_scan *scan = &s->scan;
  for (long first = 0; first < scan->steps; first += ST_DIAGONAL_BLOCK) {
    diagonal_block block = {.first = first, .count = block_steps(scan, first, ST_DIAGONAL_BLOCK)};
    float *kept = kept_states(scan, first, ST_DIAGONAL_BLOCK);
    memcpy(kept, h, (size_t)(2 * scan->states * scan->channels) * sizeof *h);
    for (long j = 0; j < scan->channels; j += WIDTH) {
      block.channel = j;
      block.left = part_of(scan->channels - j);
      floats skip = load_part(s->skip + j, block.left);
      for (long k = 0; k < block.count; k++) {
        block.x[k] = load_part(s->inputs + (first + k) * scan->row_step * scan->channels + j, block.left);
        block.y[k] = skip * block.x[k];
      }
      long n = 0;
      for (; n + DIAGONAL_GROUP <= scan->states; n += DIAGONAL_GROUP)
        diagonal_forward(s, &block, n, DIAGONAL_GROUP, h);
      for (; n < scan->states; n++) diagonal_forward(s, &block, n, 1, h);
      for (long k = 0; k < block.count; k++)
        store_part(y + (first + k) * scan->row_step * scan->channels + j, block.y[k], block.left);
    }
  }
}

/// Pairs n to n + group of a block: computes them again, then their gradients; adds to those of the inputs.
INLINE void diagonal_backward(const st_diagonal_scan *s, const diagonal_block *block, floats *dx, long n,
                              const int group, const float *kept, float *dh, float *dsystem) {
  long channels = s->scan.channels, plane = s->scan.states * channels, at = n * channels + block->channel;
  part left = block->left;
  diagonal_system w = load_system(s->system + at, plane, channels, group, left);
  // Behind each step; the first, before all.
  floats re[ST_DIAGONAL_BLOCK + 1][DIAGONAL_GROUP], im[ST_DIAGONAL_BLOCK + 1][DIAGONAL_GROUP];
  load_states(kept + at, channels, group, left, re[0]);
  load_states(kept + plane + at, channels, group, left, im[0]);
  for (long k = 0; k < block->count; k++) {
    float keep = is_reset(&s->scan, block->first + k) ? 0 : 1;
#pragma clang loop unroll(full)
    for (int i = 0; i < group; i++) {
      floats before_re = re[k][i] * keep, before_im = im[k][i] * keep;
      re[k + 1][i] = w.a_re[i] * before_re + (w.b_re[i] * block->x[k] - w.a_im[i] * before_im);
      im[k + 1][i] = w.a_re[i] * before_im + (w.a_im[i] * before_re + w.b_im[i] * block->x[k]);
    }
  }
  diagonal_system d = load_system(dsystem + at, plane, channels, group, left);
  floats dre[DIAGONAL_GROUP], dim[DIAGONAL_GROUP];
  load_states(dh + at, channels, group, left, dre);
  load_states(dh + plane + at, channels, group, left, dim);
  for (long k = block->count - 1; k >= 0; k--) {
    floats x = block->x[k], dy = block->y[k], sum = dx[k];
    float keep = is_reset(&s->scan, block->first + k) ? 0 : 1;
#pragma clang loop unroll(full)
    for (int i = 0; i < group; i++) {
      floats before_re = re[k][i] * keep, before_im = im[k][i] * keep;
      floats g_re = dy * w.c_re[i] + dre[i], g_im = dim[i] - dy * w.c_im[i];
      d.c_re[i] = dy * re[k + 1][i] + d.c_re[i];
      d.c_im[i] = d.c_im[i] - dy * im[k + 1][i];
      d.b_re[i] = g_re * x + d.b_re[i];
      d.b_im[i] = g_im * x + d.b_im[i];
      sum = g_re * w.b_re[i] + (g_im * w.b_im[i] + sum);
      d.a_re[i] = g_re * before_re + (g_im * before_im + d.a_re[i]);
      d.a_im[i] = g_im * before_re + (d.a_im[i] - g_re * before_im);
      dre[i] = (w.a_re[i] * g_re + w.a_im[i] * g_im) * keep;
      dim[i] = (w.a_re[i] * g_im - w.a_im[i] * g_re) * keep;
    }
    dx[k] = sum;
  }
  store_system(dsystem + at, plane, channels, group, left, &d);
  store_states(dh + at, channels, group, left, dre);
  store_states(dh + plane + at, channels, group, left, dim);
}

static void diagonal_scan_backward(const st_diagonal_scan *s, const float *dy, float *dh, float *dsystem,
                                   float *dskip, float *dx) {
  const st_scan *scan = &s->scan;
  for (long first = last_block(scan, ST_DIAGONAL_BLOCK); first >= 0; first -= ST_DIAGONAL_BLOCK) {
    diagonal_block block = {.first = first, .count = block_steps(scan, first, ST_DIAGONAL_BLOCK)};
    for (long j = 0; j < scan->channels; j += WIDTH) {
      block.channel = j;
      block.left = part_of(scan->channels - j);
      floats dinputs[ST_DIAGONAL_BLOCK];
      floats skip = load_part(s->skip + j, block.left), sum = load_part(dskip + j, block.left);
      for (long k = 0; k < block.count; k++) {
        long at = (first + k) * scan->row_step * scan->channels + j;
        block.x[k] = load_part(s->inputs + at, block.left);
        block.y[k] = load_part(dy + at, block.left);
        dinputs[k] = skip * block.y[k];
        sum = block.y[k] * block.x[k] + sum;
      }
      store_part(dskip + j, sum, block.left);
      const float *kept = kept_states(scan, first, ST_DIAGONAL_BLOCK);
      long n = 0;
      for (; n + DIAGONAL_GROUP <= scan->states; n += DIAGONAL_GROUP)
        diagonal_backward(s, &block, dinputs, n, DIAGONAL_GROUP, kept, dh, dsystem);
      for (; n < scan->states; n++) diagonal_backward(s, &block, dinputs, n, 1, kept, dh, dsystem);
      for (long k = 0; dx && k < block.count; k++)
        store_part(dx + (first + k) * scan->row_step * scan->channels + j, dinputs[k], block.left);
    }
  }
}
