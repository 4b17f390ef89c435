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

/// Each channel by itself: y[r, c] = bias[c] + sum over j < K of patches[r, c K + j] w[c, j].
ST_KERNEL(void, depthwise_forward,
          (long rows, long channels, long width, const float *patches, const float *w, const float *bias,
           float *y),
          (rows, channels, width, patches, w, bias, y))

/// patches[r, c K + j] = dy[r, c] w[c, j], the gradient of the patches.
ST_KERNEL(void, depthwise_backward,
          (long rows, long channels, long width, const float *dy, const float *w, float *patches),
          (rows, channels, width, dy, w, patches))

/// sums[c, j] += sum over r < rows of dy[row(r), c] patches[row(r), c K + j] for c < channels and j < taps, rows in
/// order, with row(r) as in `st_product_weight_gradient`.
ST_KERNEL(void, depthwise_weight_gradient,
          (long channels, long taps, long width, long rows, long lanes, long stride, const float *dy, long lddy,
           const float *patches, long ldpatches, float *sums, long ldsums),
          (channels, taps, width, rows, lanes, stride, dy, lddy, patches, ldpatches, sums, ldsums))
