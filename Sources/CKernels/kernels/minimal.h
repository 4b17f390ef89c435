/// A time step of minGRU (Feng et al. 2024), for lanes of `hidden` units. Lane b reads row index ? index[b] : b of x, [., 2 H],
/// the sums of gates in the order z, c:
///
///     h = (1 - sigmoid(z)) h_prev + sigmoid(z) candidate,  candidate = c, or if `positive` c + 1/2 from 0 on, sigmoid(c) below
ST_KERNEL(void, mingru_forward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *h_prev, bool positive,
           float *h),
          (lanes, hidden, x, index, h_prev, positive, h))

/// The gradient of that from dh, that of the outputs, and `dstate`, that of h by later steps, which becomes that of h_prev.
/// Writes the gradients of the sums to gates [lanes, 2 H], which may be x.
ST_KERNEL(void, mingru_backward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *dh, const float *h_prev,
           bool positive, float *gates, float *dstate),
          (lanes, hidden, x, index, dh, h_prev, positive, gates, dstate))

/// A time step of minLSTM, whose rows of x, [., 3 H], hold the sums of f, i and c: as minGRU, with sigmoid(i) / (sigmoid(f) +
/// sigmoid(i)) in place of sigmoid(z).
ST_KERNEL(void, minlstm_forward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *h_prev, bool positive,
           float *h),
          (lanes, hidden, x, index, h_prev, positive, h))

/// The gradient of that, as `st_mingru_backward`; gates [lanes, 3 H].
ST_KERNEL(void, minlstm_backward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *dh, const float *h_prev,
           bool positive, float *gates, float *dstate),
          (lanes, hidden, x, index, dh, h_prev, positive, gates, dstate))
