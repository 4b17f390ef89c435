// Windows of inputs over time.

static void gather_windows(long steps, long lanes, long channels, long width, const float *x,
                           const float *window, const int32_t *reach, float *patches) {
  long before = (width - 1) * channels;
  for (long r = 0; r < steps * lanes; r++) {
    long t = r / lanes, lane = r % lanes;
    for (long s = 0; s < width; s++) {
      float *to = patches + r * channels * width + width - 1 - s;
      if (s > reach[r]) {
        for (long c = 0; c < channels; c++) to[c * width] = 0;
        continue;
      }
      const float *from = s <= t ? x + (r - s * lanes) * channels
                                 : window + lane * before + (width - 1 - s + t) * channels;
      for (long c = 0; c < channels; c++) to[c * width] = from[c];
    }
  }
}

static void scatter_windows(long first, long last, long steps, long lanes, long channels, long width,
                            const float *patches, const int32_t *reach, const float *leaving, float *out,
                            long time_stride, long lane_stride) {
  for (long t = first; t < last; t++)
    for (long lane = 0; lane < lanes; lane++) {
      float *to = out + (t - first) * time_stride + lane * lane_stride;
      for (long c = 0; c < channels; c++) to[c] = 0;
      for (long s = t < 0 ? -t : 0; s < width && t + s < steps; s++) {
        long r = (t + s) * lanes + lane;
        if (reach[r] < s) break;
        const float *from = patches + r * channels * width + width - 1 - s;
        for (long c = 0; c < channels; c++) to[c] += from[c * width];
      }
      long s = steps - t;
      if (s >= width || reach[(steps - 1) * lanes + lane] < s - 1) continue;
      const float *from = leaving + (lane * (width - 1) + width - 1 - s) * channels;
      for (long c = 0; c < channels; c++) to[c] += from[c];
    }
}

/// The input s steps before step k of a lane.
INLINE const float *input_before(long k, long s, long lane, long channels, long width, long row_step,
                                 const float *x, long ldx, const float *window) {
  return s <= k ? x + ((k - s) * row_step + lane) * ldx
                : window + (lane * (width - 1) + width - 1 - s + k) * channels;
}

static void depthwise_forward(long steps, long lanes, long channels, long width, long row_step,
                              const float *x, long ldx, const float *window, const int32_t *reach,
                              const float *w, const float *bias, float *y) {
  for (long k = 0; k < steps; k++)
    for (long lane = 0; lane < lanes; lane++) {
      long row = k * row_step + lane;
      float *restrict to = y + row * channels;
      for (long c = 0; c < channels; c++) to[c] = bias[c];
      for (long s = reach[row]; s >= 0; s--) {
        const float *from = input_before(k, s, lane, channels, width, row_step, x, ldx, window);
        const float *tap = w + (width - 1 - s) * channels;
        for (long c = 0; c < channels; c++) to[c] += from[c] * tap[c];
      }
    }
}

static void depthwise_backward(long first, long last, long steps, long lanes, long channels, long width,
                               long row_step, const float *dy, const int32_t *reach, const float *w,
                               const float *leaving, float *out, long time_stride, long lane_stride) {
// Each product is rounded, as where it is the gradient of a patch.
#pragma clang fp contract(off)
  for (long t = first; t < last; t++)
    for (long lane = 0; lane < lanes; lane++) {
      float *restrict to = out + (t - first) * time_stride + lane * lane_stride;
      for (long c = 0; c < channels; c++) to[c] = 0;
      for (long s = t < 0 ? -t : 0; s < width && t + s < steps; s++) {
        long row = (t + s) * row_step + lane;
        if (reach[row] < s) break;
        const float *from = dy + row * channels, *tap = w + (width - 1 - s) * channels;
        for (long c = 0; c < channels; c++) to[c] += from[c] * tap[c];
      }
      long s = steps - t;
      if (s >= width || reach[(steps - 1) * row_step + lane] < s - 1) continue;
      const float *from = leaving + (lane * (width - 1) + width - 1 - s) * channels;
      for (long c = 0; c < channels; c++) to[c] += from[c];
    }
}

static void depthwise_weight_gradient(long first, long last, long steps, long lanes, long channels,
                                      long width, long row_step, const float *dy, const float *x, long ldx,
                                      const float *window, const int32_t *reach, float *sums) {
  long count = last - first;
  for (long k = 0; k < steps; k++)
    for (long lane = 0; lane < lanes; lane++) {
      long row = k * row_step + lane;
      const float *d = dy + row * channels + first;
      for (long s = 0; s <= reach[row]; s++) {
        const float *from = input_before(k, s, lane, channels, width, row_step, x, ldx, window) + first;
        float *restrict sum = sums + (width - 1 - s) * count;
        for (long c = 0; c < count; c++) sum[c] += d[c] * from[c];
      }
    }
}
