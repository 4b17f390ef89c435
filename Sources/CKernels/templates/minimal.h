// The time steps of recurrences whose gates don't read the state: h = h_prev + share (candidate - h_prev).

/// What a unit takes in, and its slopes.
typedef struct {
  floats share;
  /// By the sums that it is a function of: z, or f and i.
  floats slopes[2];
} gate;

/// sigmoid(z)
INLINE gate plain_gate(const float *z, part n) {
  floats s = sigmoid(load_part(z, n));
  return (gate){.share = s, .slopes = {s * (1.0f - s)}};
}

/// sigmoid(i) / (sigmoid(f) + sigmoid(i)) = (1 + exp(-f)) / (2 + exp(-f) + exp(-i)). Where one of these is beyond exp(40) both
/// are divided by as much, beside which the ones are nothing before and after.
INLINE gate normalized_gate(const float *sums, long hidden, part n) {
  floats p = -load_part(sums, n), q = -load_part(sums + hidden, n);
  floats excess = (p > q ? p : q) - 40.0f;
  excess = excess > 0.0f ? excess : (floats)0.0f;
  floats exp_p = exponential(p - excess), exp_q = exponential(q - excess);
  floats inverse = quotient(1.0f, 2.0f + exp_p + exp_q);
  floats share = (1.0f + exp_p) * inverse;
  return (gate){.share = share, .slopes = {exp_p * inverse * (share - 1.0f), exp_q * inverse * share}};
}

/// What a unit may take in, and its slope.
typedef struct {
  floats value, slope;
} candidate;

INLINE candidate make_candidate(floats c, bool positive) {
  if (!positive) return (candidate){.value = c, .slope = 1.0f};
  floats s = sigmoid(c);
  return (candidate){.value = c < 0.0f ? s : c + 0.5f, .slope = c < 0.0f ? s * (1.0f - s) : (floats)1.0f};
}

INLINE gate make_gate(const float *sums, long hidden, long gates, part n) {
  return gates == 1 ? plain_gate(sums, n) : normalized_gate(sums, hidden, n);
}

INLINE void minimal_steps(long lanes, long hidden, long gates, const float *x, const int32_t *index,
                          const float *h_prev, bool positive, float *h) {
  for (long b = 0; b < lanes; b++) {
    const float *xb = x + (index ? index[b] : b) * (gates + 1) * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      floats share = make_gate(xb + j, hidden, gates, n).share;
      floats c = make_candidate(load_part(xb + gates * hidden + j, n), positive).value;
      floats before = load_part(h_prev + b * hidden + j, n);
      store_part(h + b * hidden + j, before + share * (c - before), n);
    }
  }
}

INLINE void minimal_steps_backward(long lanes, long hidden, long gates, const float *x, const int32_t *index,
                                   const float *dh, const float *h_prev, bool positive, float *dx,
                                   float *dstate) {
  for (long b = 0; b < lanes; b++) {
    const float *xb = x + (index ? index[b] : b) * (gates + 1) * hidden;
    float *dxb = dx + b * (gates + 1) * hidden;
    for (long j = 0; j < hidden; j += WIDTH) {
      part n = part_of(hidden - j);
      long at = b * hidden + j;
      gate g = make_gate(xb + j, hidden, gates, n);
      candidate c = make_candidate(load_part(xb + gates * hidden + j, n), positive);
      floats d = load_part(dh + at, n) + load_part(dstate + at, n);
      floats dshare = d * (c.value - load_part(h_prev + at, n));
      for (long k = 0; k < gates; k++) store_part(dxb + k * hidden + j, dshare * g.slopes[k], n);
      store_part(dxb + gates * hidden + j, d * g.share * c.slope, n);
      store_part(dstate + at, d * (1.0f - g.share), n);
    }
  }
}

// Of each number of gates and kind of candidate, a loop of its own.

static void minimal_forward(long lanes, long hidden, long gates, const float *x, const int32_t *index,
                            const float *h_prev, bool positive, float *h) {
  if (gates == 1 && positive)
    minimal_steps(lanes, hidden, 1, x, index, h_prev, true, h);
  else if (gates == 1)
    minimal_steps(lanes, hidden, 1, x, index, h_prev, false, h);
  else if (positive)
    minimal_steps(lanes, hidden, 2, x, index, h_prev, true, h);
  else
    minimal_steps(lanes, hidden, 2, x, index, h_prev, false, h);
}

static void minimal_backward(long lanes, long hidden, long gates, const float *x, const int32_t *index,
                             const float *dh, const float *h_prev, bool positive, float *dx, float *dstate) {
  if (gates == 1 && positive)
    minimal_steps_backward(lanes, hidden, 1, x, index, dh, h_prev, true, dx, dstate);
  else if (gates == 1)
    minimal_steps_backward(lanes, hidden, 1, x, index, dh, h_prev, false, dx, dstate);
  else if (positive)
    minimal_steps_backward(lanes, hidden, 2, x, index, dh, h_prev, true, dx, dstate);
  else
    minimal_steps_backward(lanes, hidden, 2, x, index, dh, h_prev, false, dx, dstate);
}
