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

static void depthwise_forward(long rows, long channels, long width, const float *patches, const float *w,
                              const float *bias, float *y) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < channels; c++) {
      const float *patch = patches + (r * channels + c) * width;
      float sum = bias[c];
      for (long j = 0; j < width; j++) sum += patch[j] * w[c * width + j];
      y[r * channels + c] = sum;
    }
}

static void depthwise_backward(long rows, long channels, long width, const float *dy, const float *w,
                               float *patches) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < channels; c++)
      for (long j = 0; j < width; j++)
        patches[(r * channels + c) * width + j] = dy[r * channels + c] * w[c * width + j];
}

static void depthwise_weight_gradient(long channels, long taps, long width, long rows, long lanes,
                                      long stride, const float *dy, long lddy, const float *patches,
                                      long ldpatches, float *sums, long ldsums) {
  for (long r = 0; r < rows; r++) {
    long row = lane_row(r, lanes, stride);
    for (long c = 0; c < channels; c++)
      for (long j = 0; j < taps; j++)
        sums[c * ldsums + j] += dy[row * lddy + c] * patches[row * ldpatches + c * width + j];
  }
}
