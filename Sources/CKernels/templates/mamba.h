// Mamba's selective scan. Its states are cheaper to compute again than to keep: there are N times as many as inputs.

enum { SELECTIVE_GROUP = 4 };  // states that stay in registers

/// 2^x for x <= 0, to 1.1e-7 of it and the rounding of its result; what is below 2^-126 may become 2^-126.
INLINE floats power_of_two(floats x) {
#if ST_AVX512
  floats n = (floats)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  // Written so that a NaN stays one.
  x = x < -126.0f ? (floats)-126.0f : x;
  // Adding 1.5 * 2^23 rounds to an integer in the lowest bits; 127 more makes it the exponent's field of 2^n.
  floats biased = x + (0x1.8p+23f + 127);
  floats n = biased - (0x1.8p+23f + 127);
#endif
  floats r = x - n;
  // 1 and ln 2 are as they should be, so that powers near 1 are as exact as floats can be.
  floats p = 0x1.5ca89p-10f * r + 0x1.3cdb66p-7f;
  p = p * r + 0x1.c6b3aep-5f;
  p = p * r + 0x1.ebf9fp-3f;
  p = p * r + 0x1.62e43p-1f;
  p = p * r + 1.0f;
#if ST_AVX512
  return (floats)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  return p * as_floats(as_words(biased) << 23);
#endif
}

/// Some steps of a vector of channels: step sizes D, inputs D v, and what the states say.
typedef struct {
  long first, count, channel;
  part left;
  floats step[ST_SELECTIVE_BLOCK];
  floats input[ST_SELECTIVE_BLOCK];
  floats y[ST_SELECTIVE_BLOCK];
} selective_block;

/// What goes backward through them.
typedef struct {
  floats dy[ST_SELECTIVE_BLOCK];
  floats dinput[ST_SELECTIVE_BLOCK];
  floats dstep[ST_SELECTIVE_BLOCK];
} selective_gradients;

INLINE selective_block make_selective_block(const st_selective_scan *s, long first, long channel) {
  return (selective_block){.first = first,
                           .count = block_steps(&s->scan, first, ST_SELECTIVE_BLOCK),
                           .channel = channel,
                           .left = part_of(s->scan.channels - channel)};
}

/// Where an array [., E] holds step k of a block.
INLINE float *selective_place(const st_selective_scan *s, float *array, const selective_block *block, long k) {
  return array + (block->first + k) * s->scan.row_step * s->scan.channels + block->channel;
}

INLINE float *selective_gate(const st_selective_scan *s, const selective_block *block, long k) {
  return s->gates + (block->first + k) * s->scan.row_step * s->gate_stride + block->channel;
}

/// B or C of step k, from state n on.
INLINE const float *selective_row(const st_selective_scan *s, const float *matrix, const selective_block *block,
                                  long k, long n) {
  return matrix + (block->first + k) * s->scan.row_step * s->matrix_stride + n;
}

INLINE void read_selective_block(const st_selective_scan *s, selective_block *block) {
  floats skip = load_part(s->skip + block->channel, block->left);
  for (long k = 0; k < block->count; k++) {
    floats v = load_part(selective_place(s, s->inputs, block, k), block->left);
    block->step[k] = softplus(load_part(selective_place(s, s->logits, block, k), block->left));
    block->input[k] = block->step[k] * v;
    block->y[k] = skip * v;
  }
}

/// States n to n + group of a block, from h; adds what they say to y.
INLINE void selective_forward(const st_selective_scan *s, selective_block *block, long n, const int group,
                              float *state) {
  long channels = s->scan.channels, at = n * channels + block->channel;
  floats h[SELECTIVE_GROUP], decay[SELECTIVE_GROUP];
  load_states(state + at, channels, group, block->left, h);
  load_states(s->decay + at, channels, group, block->left, decay);
  for (long k = 0; k < block->count; k++) {
    const float *b = selective_row(s, s->b, block, k, n), *c = selective_row(s, s->c, block, k, n);
    floats step = block->step[k], input = block->input[k], y = block->y[k];
    if (is_reset(&s->scan, block->first + k))
      for (int i = 0; i < group; i++) h[i] = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < group; i++) {
      h[i] = power_of_two(step * decay[i]) * h[i] + input * b[i];
      y = h[i] * c[i] + y;
    }
    block->y[k] = y;
  }
  store_states(state + at, channels, group, block->left, h);
}

static void selective_scan_forward(const st_selective_scan *s, float *h) {
  long states = s->scan.states, channels = s->scan.channels;
  for (long first = 0; first < s->scan.steps; first += ST_SELECTIVE_BLOCK) {
    float *kept = kept_states(&s->scan, first, ST_SELECTIVE_BLOCK);
    memcpy(kept, h, (size_t)(states * channels) * sizeof *h);
    for (long j = 0; j < channels; j += WIDTH) {
      selective_block block = make_selective_block(s, first, j);
      read_selective_block(s, &block);
      long n = 0;
      for (; n + SELECTIVE_GROUP <= states; n += SELECTIVE_GROUP)
        selective_forward(s, &block, n, SELECTIVE_GROUP, h);
      for (; n < states; n++) selective_forward(s, &block, n, 1, h);
      for (long k = 0; k < block.count; k++) {
        floats gate = load_part(selective_gate(s, &block, k), block.left);
        store_part(selective_place(s, s->outputs, &block, k), block.y[k] * silu(gate), block.left);
      }
    }
  }
}

/// States n to n + group of a block: computes them again, then their gradients. Adds to those of B and C in db and
/// dc, a vector for each step and state, whose elements are summed when all channels are in them.
INLINE void selective_backward(const st_selective_scan *s, selective_block *block,
                               selective_gradients *gradients, long n, const int group, const float *kept,
                               float *dh, float *ddecay, float *db, float *dc) {
  long channels = s->scan.channels, at = n * channels + block->channel;
  // Behind each step; the first, before all.
  floats h[ST_SELECTIVE_BLOCK + 1][SELECTIVE_GROUP];
  floats factor[ST_SELECTIVE_BLOCK][SELECTIVE_GROUP], decay[SELECTIVE_GROUP];
  load_states(kept + at, channels, group, block->left, h[0]);
  load_states(s->decay + at, channels, group, block->left, decay);
  for (long k = 0; k < block->count; k++) {
    const float *b = selective_row(s, s->b, block, k, n), *c = selective_row(s, s->c, block, k, n);
    floats step = block->step[k], input = block->input[k], y = block->y[k];
    float keep = is_reset(&s->scan, block->first + k) ? 0 : 1;
#pragma clang loop unroll(full)
    for (int i = 0; i < group; i++) {
      factor[k][i] = power_of_two(step * decay[i]) * keep;
      h[k + 1][i] = factor[k][i] * h[k][i] + input * b[i];
      y = h[k + 1][i] * c[i] + y;
    }
    block->y[k] = y;
  }

  floats carry[SELECTIVE_GROUP], sum[SELECTIVE_GROUP];
  load_states(dh + at, channels, group, block->left, carry);
  load_states(ddecay + at, channels, group, block->left, sum);
  for (long k = block->count - 1; k >= 0; k--) {
    const float *b = selective_row(s, s->b, block, k, n), *c = selective_row(s, s->c, block, k, n);
    floats dy = gradients->dy[k], input = block->input[k], step = block->step[k];
    floats dinput = gradients->dinput[k], dstep = gradients->dstep[k];
    float *dbk = db + (k * s->scan.states + n) * WIDTH, *dck = dc + (k * s->scan.states + n) * WIDTH;
#pragma clang loop unroll(full)
    for (int i = 0; i < group; i++) {
      floats g = dy * c[i] + carry[i];
      store(dck + i * WIDTH, h[k + 1][i] * dy + load(dck + i * WIDTH));
      store(dbk + i * WIDTH, g * input + load(dbk + i * WIDTH));
      dinput = g * b[i] + dinput;
      carry[i] = g * factor[k][i];
      floats dexponent = carry[i] * h[k][i];
      dstep = dexponent * decay[i] + dstep;
      sum[i] = dexponent * step + sum[i];
    }
    gradients->dinput[k] = dinput;
    gradients->dstep[k] = dstep;
  }
  store_states(dh + at, channels, group, block->left, carry);
  store_states(ddecay + at, channels, group, block->left, sum);
}

/// What the outputs' gradients are before the gates; adds to the gradient of `skip`.
INLINE void begin_selective_gradients(const st_selective_scan *s, const selective_block *block,
                                      selective_gradients *gradients, float *dskip) {
  floats sum = load_part(dskip + block->channel, block->left);
  for (long k = 0; k < block->count; k++) {
    floats gate = load_part(selective_gate(s, block, k), block->left);
    floats v = load_part(selective_place(s, s->inputs, block, k), block->left);
    gradients->dy[k] = load_part(selective_place(s, s->outputs, block, k), block->left) * silu(gate);
    gradients->dinput[k] = 0;
    gradients->dstep[k] = 0;
    sum = gradients->dy[k] * v + sum;
  }
  store_part(dskip + block->channel, sum, block->left);
}

/// Writes the gradients of all that a block has read of its channels.
INLINE void write_selective_gradients(const st_selective_scan *s, const selective_block *block,
                                      const selective_gradients *gradients) {
  part left = block->left;
  floats skip = load_part(s->skip + block->channel, left);
  for (long k = 0; k < block->count; k++) {
    float *gate = selective_gate(s, block, k), *logit = selective_place(s, s->logits, block, k);
    float *out = selective_place(s, s->outputs, block, k);
    floats v = load_part(selective_place(s, s->inputs, block, k), left);
    // The exponents are of 2.
    floats dstep = v * gradients->dinput[k] + 0.693147181f * gradients->dstep[k];
    store_part(logit, dstep * sigmoid(load_part(logit, left)), left);
    store_part(gate, load_part(out, left) * block->y[k] * silu_slope(load_part(gate, left)), left);
    store_part(out, block->step[k] * gradients->dinput[k] + skip * gradients->dy[k], left);
  }
}

static void selective_scan_backward(const st_selective_scan *s, float *dh, float *ddecay, float *dskip,
                                    float *scratch) {
  long states = s->scan.states, channels = s->scan.channels, row_floats = states * WIDTH;
  float *db = scratch, *dc = scratch + ST_SELECTIVE_BLOCK * row_floats;
  for (long first = last_block(&s->scan, ST_SELECTIVE_BLOCK); first >= 0; first -= ST_SELECTIVE_BLOCK) {
    const float *kept = kept_states(&s->scan, first, ST_SELECTIVE_BLOCK);
    memset(scratch, 0, (size_t)(2 * ST_SELECTIVE_BLOCK * row_floats) * sizeof *scratch);
    for (long j = 0; j < channels; j += WIDTH) {
      selective_block block = make_selective_block(s, first, j);
      selective_gradients gradients;
      read_selective_block(s, &block);
      begin_selective_gradients(s, &block, &gradients, dskip);
      long n = 0;
      for (; n + SELECTIVE_GROUP <= states; n += SELECTIVE_GROUP)
        selective_backward(s, &block, &gradients, n, SELECTIVE_GROUP, kept, dh, ddecay, db, dc);
      for (; n < states; n++) selective_backward(s, &block, &gradients, n, 1, kept, dh, ddecay, db, dc);
      write_selective_gradients(s, &block, &gradients);
    }
    for (long k = 0; k < block_steps(&s->scan, first, ST_SELECTIVE_BLOCK); k++) {
      long at = (first + k) * s->scan.row_step * s->matrix_stride;
      for (long n = 0; n < states; n++) {
        s->b[at + n] = sum_of(load(db + k * row_floats + n * WIDTH));
        s->c[at + n] = sum_of(load(dc + k * row_floats + n * WIDTH));
      }
    }
  }
}
