// Dropout, and the random numbers for it.

/// The numbers 4 first to 4 first + 31 of a sequence of `st_philox`: eight blocks of it, side by side. Each
/// number stands in the lower half of 64 bits; what the upper half holds does not matter, for the products
/// ignore it.
INLINE void philox_blocks(uint64_t key, uint32_t first, uint32_t c1, uint32_t c2, uint32_t c3,
                          words numbers[2]) {
  const uint64_t lower = 0xffffffff;
  const long_words lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  long_words x0 = first + lanes, x1 = c1, x2 = c2, x3 = c3;
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; round++) {
    long_words p0 = (x0 & lower) * 0xD2511F53u, p1 = (x2 & lower) * 0xCD9E8D57u;
    x0 = (p1 >> 32) ^ x1 ^ (uint64_t)k0;
    x2 = (p0 >> 32) ^ x3 ^ (uint64_t)k1;
    x1 = p1;
    x3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  long_words even = (x0 & lower) | x1 << 32, odd = (x2 & lower) | x3 << 32;
  numbers[0] = (words)__builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
  numbers[1] = (words)__builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
}

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
