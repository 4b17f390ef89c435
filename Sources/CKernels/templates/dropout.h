// Dropout.

static void dropout(long rows, long n, const float *x, float keep, uint64_t key, uint32_t step, uint32_t time,
                    uint32_t first_lane, float *out) {
  enum { NUMBERS = 4 * WIDTH };
  float factor = 1 / keep;
  for (long r = 0; r < rows; r++)
    for (long i = 0; i < n; i += NUMBERS) {
      // Two at a time: each waits for its own products for most of the time.
      words numbers[4];
      uint32_t block = (uint32_t)(i / 4), lane = first_lane + (uint32_t)r;
      philox_blocks(key, block, step, time, lane, numbers);
      philox_blocks(key, block + 8, step, time, lane, numbers + 2);
#pragma clang loop unroll(full)
      for (long j = 0; j < 4; j++) {
        long at = i + j * WIDTH;
        part left = part_of(n > at ? n - at : 0);
        // 24 bits, so that the conversion is exact and signed or unsigned is the same.
        floats uniform = __builtin_convertvector((integers)(numbers[j] >> 8), floats) * 0x1p-24f;
        // A product with zero rather than zero itself: a NaN has to remain one.
        floats mask = uniform < keep ? (floats)factor : (floats)0.0f;
        store_part(out + r * n + at, load_part(x + r * n + at, left) * mask, left);
      }
    }
}
