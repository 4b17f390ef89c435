// Random numbers, many at a time.

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

/// ln(x) for normal positive x to 2e-7, relatively: ln(2^e m) = e ln 2 + ln(1 + f), 1 + f = m between sqrt(1/2)
/// and sqrt(2), by the polynomial of Cephes' logf.
INLINE floats logarithm(floats x) {
  const words root = 0x3f3504f3u;  // sqrt(1/2)
  integers exponent = (integers)(as_words(x) - root) >> 23;
  floats e = __builtin_convertvector(exponent, floats);
  floats f = as_floats(as_words(x) - ((words)exponent << 23)) - 1.0f;
  floats f2 = f * f;
  floats p = 7.0376836292e-2f * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  // ln 2 in two parts: the first product is exact
  floats low = p * f * f2 - 2.12194440e-4f * e - 0.5f * f2;
  return f + low + 0.693359375f * e;
}

/// The cosine and the sine of 2 pi n / 2^32, by the polynomials of Cephes' sinf and cosf.
INLINE void cosine_and_sine(words n, floats *cosine, floats *sine) {
  // The nearest quarter turn, and the angle from it.
  words quarter = (n + (1u << 29)) >> 30;
  floats x = __builtin_convertvector((integers)(n << 2), floats) * (0.785398163f * 0x1p-31f);
  floats x2 = x * x;
  floats s = -1.9515295891e-4f * x2 + 8.3321608736e-3f;
  s = (s * x2 - 1.6666654611e-1f) * x2 * x + x;
  floats c = 2.443315711809948e-5f * x2 - 1.388731625493765e-3f;
  c = (c * x2 + 4.166664568298827e-2f) * x2 * x2 - 0.5f * x2 + 1.0f;
  integers is_odd = (quarter & 1u) != 0u;
  words cosine_sign = ((quarter + 1u) & 2u) << 30, sine_sign = (quarter & 2u) << 30;
  *cosine = as_floats(as_words(is_odd ? s : c) ^ cosine_sign);
  *sine = as_floats(as_words(is_odd ? c : s) ^ sine_sign);
}

enum { BATCH = 2 * WIDTH };  // numbers of one call of `philox_blocks`

static void normal_numbers(long n, float deviation, uint64_t key, uint32_t c1, uint32_t c2, uint32_t c3,
                           float *out) {
  for (long i = 0; i < n; i += BATCH) {
    words numbers[2];
    philox_blocks(key, (uint32_t)(i / 4), c1, c2, c3, numbers);
    // Above zero, to the last of its 32 bits: they decide how far out the numbers go.
    floats uniform = __builtin_convertvector(numbers[0], floats) * 0x1p-32f + 0x1p-33f;
    floats radius = __builtin_elementwise_sqrt(-2.0f * logarithm(uniform)) * deviation;
    floats cosine, sine;
    cosine_and_sine(numbers[1], &cosine, &sine);
    store_part(out + i, radius * cosine, part_of(n - i));
    if (n > i + WIDTH) store_part(out + i + WIDTH, radius * sine, part_of(n - i - WIDTH));
  }
}

static void uniform_numbers(long n, float bound, uint64_t key, uint32_t c1, uint32_t c2, uint32_t c3,
                            float *out) {
  for (long i = 0; i < n; i += BATCH) {
    words numbers[2];
    philox_blocks(key, (uint32_t)(i / 4), c1, c2, c3, numbers);
    for (long j = 0; j < 2 && n > i + j * WIDTH; j++) {
      floats uniform = __builtin_convertvector((integers)numbers[j], floats) * 0x1p-31f;
      store_part(out + i + j * WIDTH, uniform * bound, part_of(n - i - j * WIDTH));
    }
  }
}
