/// Causal convolutions over time. Row r = t B + b of a time-major array is time step t of lane b; x_t is a row of
/// C channels. The window [B, (K-1) C] holds each lane's K - 1 inputs before the chunk, the oldest first; reach[r]
/// says how many of the inputs before row r belong to its stream, up to K - 1.

/// patches[r, c K + K-1-s] = x_{t-s, c} for s < K, zero where s > reach[r]. patches [steps B, C K].
ST_KERNEL(void, gather_windows,
          (long steps, long lanes, long channels, long width, const float *x, const float *window,
           const int32_t *reach, float *patches),
          (steps, lanes, channels, width, x, window, reach, patches))

/// The gradient of that, for the inputs of time steps `first` to `last` (without it), counted from the chunk's
/// start, negative in the window: sums of those of the patches and of the window that leaves the chunk. That of
/// step t and lane b is written to out + (t - first) time_stride + b lane_stride.
ST_KERNEL(void, scatter_windows,
          (long first, long last, long steps, long lanes, long channels, long width, const float *patches,
           const int32_t *reach, const float *leaving, float *out, long time_stride, long lane_stride),
          (first, last, steps, lanes, channels, width, patches, reach, leaving, out, time_stride, lane_stride))

/// Each channel by itself: y_t = bias + sum over s <= reach of w[K-1-s] x_{t-s}, oldest first. The weights are [K, C]. Row 0
/// of x, reach and y is the first step's; each step's is `row_step` rows behind that of the step before, which is negative
/// where the convolution goes back in time. Rows of x are `ldx` floats apart, those of y C.
ST_KERNEL(void, depthwise_forward,
          (long steps, long lanes, long channels, long width, long row_step, const float *x, long ldx,
           const float *window, const int32_t *reach, const float *w, const float *bias, float *y),
          (steps, lanes, channels, width, row_step, x, ldx, window, reach, w, bias, y))

/// The gradient of that, for the inputs of steps `first` to `last`, as in `st_scatter_windows`.
ST_KERNEL(void, depthwise_backward,
          (long first, long last, long steps, long lanes, long channels, long width, long row_step,
           const float *dy, const int32_t *reach, const float *w, const float *leaving, float *out,
           long time_stride, long lane_stride),
          (first, last, steps, lanes, channels, width, row_step, dy, reach, w, leaving, out, time_stride,
           lane_stride))

/// sums[j, c - first] += the gradient of w[j, c] over `lanes` lanes, rows in order, for channels `first` to `last`.
ST_KERNEL(void, depthwise_weight_gradient,
          (long first, long last, long steps, long lanes, long channels, long width, long row_step,
           const float *dy, const float *x, long ldx, const float *window, const int32_t *reach, float *sums),
          (first, last, steps, lanes, channels, width, row_step, dy, x, ldx, window, reach, sums))
