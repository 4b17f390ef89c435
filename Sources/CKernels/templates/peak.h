// The machine's peak of fused multiply-adds.

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double measure_peak(void) {
  enum { CHAINS = ST_AVX512 ? 12 : ST_AVX2 ? 6 : 3, STEPS = 50000 };
  // Constants that the compiler can't know. The sums tend to 1 and stay normal numbers.
  volatile float decay = 0.999f, gain = 0.001f;
  floats x = decay, y = gain, sum[CHAINS];
  for (int i = 0; i < CHAINS; i++) sum[i] = (float)i;
  double best = 0, start = seconds(), now = start;
  while (now - start < 0.02) {
    for (long step = 0; step < STEPS; step++)
#pragma clang loop unroll(full)
      for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * x + y;
    double then = now;
    now = seconds();
    double rate = 2.0 * WIDTH * CHAINS * STEPS / (now - then);
    best = rate > best ? rate : best;
  }
  volatile float used = 0;
  for (int i = 0; i < CHAINS; i++) used += sum_of(sum[i]);
  return best;
}
