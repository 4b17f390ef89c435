// The pointwise work of the recurrent cells' time steps.

INLINE floats one_minus_square(floats x) { return 1.0f - x * x; }

static void lstm_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r,
                         const float *c_prev, float *gates, float *c, float *tanh_c, float *h) {
  for (long b = 0; b < lanes; b++) {
    const float *xb = x + (index ? index[b] : b) * 4 * hidden, *rb = r + b * 4 * hidden;
    float *gb = gates + b * 4 * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long fj = hidden + j, gj = 2 * hidden + j, oj = 3 * hidden + j, at = b * hidden + j;
      floats i = sigmoid(load_part(xb + j, n) + load_part(rb + j, n));
      floats f = sigmoid(load_part(xb + fj, n) + load_part(rb + fj, n));
      floats g = hyperbolic_tangent(load_part(xb + gj, n) + load_part(rb + gj, n));
      floats o = sigmoid(load_part(xb + oj, n) + load_part(rb + oj, n));
      floats cell = f * load_part(c_prev + at, n) + i * g;
      floats t = hyperbolic_tangent(cell);
      store_part(gb + j, i, n);
      store_part(gb + fj, f, n);
      store_part(gb + gj, g, n);
      store_part(gb + oj, o, n);
      store_part(c + at, cell, n);
      store_part(tanh_c + at, t, n);
      store_part(h + at, o * t, n);
    }
  }
}

static void lstm_backward(long lanes, long hidden, const float *dh, const float *c_prev, const float *tanh_c,
                          float *gates, float *dc) {
  for (long b = 0; b < lanes; b++) {
    float *gb = gates + b * 4 * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long fj = hidden + j, gj = 2 * hidden + j, oj = 3 * hidden + j, at = b * hidden + j;
      floats i = load_part(gb + j, n), f = load_part(gb + fj, n), g = load_part(gb + gj, n),
             o = load_part(gb + oj, n);
      floats t = load_part(tanh_c + at, n), dhj = load_part(dh + at, n);
      floats dcell = load_part(dc + at, n) + dhj * o * one_minus_square(t);
      store_part(gb + j, dcell * g * (i * (1.0f - i)), n);
      store_part(gb + fj, dcell * load_part(c_prev + at, n) * (f * (1.0f - f)), n);
      store_part(gb + gj, dcell * i * one_minus_square(g), n);
      store_part(gb + oj, dhj * t * (o * (1.0f - o)), n);
      store_part(dc + at, dcell * f, n);
    }
  }
}

static void gru_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r,
                        const float *bias_n, const float *h_prev, float *gates, float *m, float *h) {
  for (long b = 0; b < lanes; b++) {
    const float *xb = x + (index ? index[b] : b) * 3 * hidden, *rb = r + b * 3 * hidden;
    float *gb = gates + b * 3 * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long zj = hidden + j, nj = 2 * hidden + j, at = b * hidden + j;
      floats reset = sigmoid(load_part(xb + j, n) + load_part(rb + j, n));
      floats z = sigmoid(load_part(xb + zj, n) + load_part(rb + zj, n));
      floats recurrent = load_part(rb + nj, n) + load_part(bias_n + j, n);
      floats candidate = hyperbolic_tangent(load_part(xb + nj, n) + reset * recurrent);
      store_part(gb + j, reset, n);
      store_part(gb + zj, z, n);
      store_part(gb + nj, candidate, n);
      store_part(m + at, recurrent, n);
      store_part(h + at, (1.0f - z) * candidate + z * load_part(h_prev + at, n), n);
    }
  }
}

static void gru_backward(long lanes, long hidden, const float *dh, const float *h_prev, float *gates,
                         float *m, float *dh_prev) {
  for (long b = 0; b < lanes; b++) {
    float *gb = gates + b * 3 * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long zj = hidden + j, nj = 2 * hidden + j, at = b * hidden + j;
      floats reset = load_part(gb + j, n), z = load_part(gb + zj, n), candidate = load_part(gb + nj, n);
      floats dhj = load_part(dh + at, n);
      floats dn = dhj * (1.0f - z) * one_minus_square(candidate);
      floats dz = dhj * (load_part(h_prev + at, n) - candidate);
      floats dr = dn * load_part(m + at, n);
      store_part(gb + j, dr * (reset * (1.0f - reset)), n);
      store_part(gb + zj, dz * (z * (1.0f - z)), n);
      store_part(gb + nj, dn, n);
      store_part(m + at, dn * reset, n);
      store_part(dh_prev + at, load_part(dh_prev + at, n) + dhj * z, n);
    }
  }
}

static void rnn_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r,
                        bool relu, float *h) {
  for (long b = 0; b < lanes; b++) {
    const float *xb = x + (index ? index[b] : b) * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      floats s = load_part(xb + j, n) + load_part(r + b * hidden + j, n);
      floats y = relu ? (s < 0.0f ? (floats)0.0f : s) : hyperbolic_tangent(s);
      store_part(h + b * hidden + j, y, n);
    }
  }
}

static void rnn_backward(long lanes, long hidden, const float *dh, const float *h, bool relu, float *da) {
  for (long j = 0; j < lanes * hidden; j += WIDTH) {
    part n = part_of(lanes * hidden - j);
    floats y = load_part(h + j, n);
    // A product with zero rather than zero itself: a NaN has to remain one.
    floats slope = relu ? (y > 0.0f ? (floats)1.0f : y * 0.0f) : one_minus_square(y);
    store_part(da + j, load_part(dh + j, n) * slope, n);
  }
}

static void lstm2_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r,
                          const float *h_prev, float *gates, float *h) {
  for (long b = 0; b < lanes; b++) {
    const float *xb = x + (index ? index[b] : b) * 3 * hidden, *rb = r + b * 3 * hidden;
    float *gb = gates + b * 3 * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long ij = hidden + j, gj = 2 * hidden + j, at = b * hidden + j;
      floats f = sigmoid(load_part(xb + j, n) + load_part(rb + j, n));
      floats i = sigmoid(load_part(xb + ij, n) + load_part(rb + ij, n));
      floats g = hyperbolic_tangent(load_part(xb + gj, n) + load_part(rb + gj, n));
      store_part(gb + j, f, n);
      store_part(gb + ij, i, n);
      store_part(gb + gj, g, n);
      store_part(h + at, f * load_part(h_prev + at, n) + i * g, n);
    }
  }
}

static void lstm2_backward(long lanes, long hidden, const float *dh, const float *h_prev, float *gates,
                           float *dh_prev) {
  for (long b = 0; b < lanes; b++) {
    float *gb = gates + b * 3 * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long ij = hidden + j, gj = 2 * hidden + j, at = b * hidden + j;
      floats f = load_part(gb + j, n), i = load_part(gb + ij, n), g = load_part(gb + gj, n);
      floats dhj = load_part(dh + at, n);
      store_part(gb + j, dhj * load_part(h_prev + at, n) * (f * (1.0f - f)), n);
      store_part(gb + ij, dhj * g * (i * (1.0f - i)), n);
      store_part(gb + gj, dhj * i * one_minus_square(g), n);
      store_part(dh_prev + at, load_part(dh_prev + at, n) + dhj * f, n);
    }
  }
}
