/// A time step of a recurrence whose gates don't read the state (Feng et al. 2024), for lanes of `hidden` units. Lane b reads row
/// index ? index[b] : b of x, [., (gates + 1) H], the sums of the gates and, behind them, c:
///
///     h = (1 - share) h_prev + share candidate,  candidate = c, or if `positive` c + 1/2 from 0 on, sigmoid(c) below
///
/// The share is sigmoid(z) with one gate (minGRU), sigmoid(i) / (sigmoid(f) + sigmoid(i)) with two, f and i (minLSTM).
ST_KERNEL(void, minimal_forward,
          (long lanes, long hidden, long gates, const float *x, const int32_t *index, const float *h_prev,
           bool positive, float *h),
          (lanes, hidden, gates, x, index, h_prev, positive, h))

/// The gradient of that from dh, that of the outputs, and `dstate`, that of h by later steps, which becomes that of h_prev.
/// Writes the gradients of the sums to dx [lanes, (gates + 1) H], which may be x.
ST_KERNEL(void, minimal_backward,
          (long lanes, long hidden, long gates, const float *x, const int32_t *index, const float *dh,
           const float *h_prev, bool positive, float *dx, float *dstate),
          (lanes, hidden, gates, x, index, dh, h_prev, positive, dx, dstate))
