/// Random numbers that are a function of the 32-bit numbers w[i] = word i % 4 of st_philox(key, i / 4, c1, c2, c3).

/// n normal numbers of this standard deviation (Box & Muller 1958). For i % 32 < 16, number i has the radius of
/// w[i] and the cosine of w[i + 16]; number i + 16 has the same radius and the sine.
ST_KERNEL(void, normal_numbers,
          (long n, float deviation, uint64_t key, uint32_t c1, uint32_t c2, uint32_t c3, float *out),
          (n, deviation, key, c1, c2, c3, out))

/// n uniform numbers from -bound to bound: number i is bound w[i] / 2^31, w[i] taken as signed.
ST_KERNEL(void, uniform_numbers,
          (long n, float bound, uint64_t key, uint32_t c1, uint32_t c2, uint32_t c3, float *out),
          (n, bound, key, c1, c2, c3, out))
