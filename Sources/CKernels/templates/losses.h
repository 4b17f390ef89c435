// Softmax cross-entropy.

enum { EXPONENTIALS = 16 };  // vectors of exponentials summed in float before they are added in double

typedef struct {
  float largest;
  float poison;  // zero, or NaN where one of the numbers is not finite
} st_extremes;

static st_extremes largest_of(long n, const float *x) {
  enum { CHAINS = 4 };
  floats largest[CHAINS], poison[CHAINS];
#pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) {
    largest[i] = -__builtin_inff();
    poison[i] = 0;
  }
  long j = 0;
  for (; j + CHAINS * WIDTH <= n; j += CHAINS * WIDTH)
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) {
      floats v = load(x + j + i * WIDTH);
      largest[i] = v > largest[i] ? v : largest[i];
      poison[i] += v * 0.0f;
    }
  for (; j < n; j += WIDTH) {
    part left = part_of(n - j);
    floats v = load_part(x + j, left);
    poison[0] += v * 0.0f;
    v = fill_absent(v, left, -__builtin_inff());
    largest[0] = v > largest[0] ? v : largest[0];
  }
#pragma clang loop unroll(full)
  for (int i = 1; i < CHAINS; i++) {
    largest[0] = largest[i] > largest[0] ? largest[i] : largest[0];
    poison[0] += poison[i];
  }
  return (st_extremes){largest_element(largest[0]), sum_of(poison[0])};
}

/// exp(x - largest) for x <= largest: zero below the range of normal numbers.
INLINE floats exponential_below(floats x, float largest) {
  floats shifted = x - largest;
  floats e = exponential(shifted);
  return shifted < -87.3f ? (floats)0.0f : e;
}

/// The sum of exp(x - largest); the exponentials are written to `e`, where it is not NULL.
INLINE double sum_exponentials(long n, const float *x, float largest, float *e) {
  doubles total = 0;
  for (long j = 0; j < n;) {
    floats sum = 0;
    for (int i = 0; i < EXPONENTIALS && j < n; i++, j += WIDTH) {
      part left = part_of(n - j);
      floats y = exponential_below(fill_absent(load_part(x + j, left), left, -__builtin_inff()), largest);
      if (e) store_part(e + j, y, left);
      sum += y;
    }
    total += low_doubles(sum) + high_doubles(sum);
  }
  return sum_of_doubles(total);
}

static void softmax_cross_entropy(long rows, long classes, float *logits, const int32_t *targets,
                                  const float *weights, bool gradient, double *loss) {
  for (long r = 0; r < rows; r++) {
    float *x = logits + r * classes;
    if (weights[r] == 0) {
      loss[r] = 0;
      if (gradient) memset(x, 0, (size_t)classes * sizeof *x);
      continue;
    }
    long target = targets[r];
    st_extremes of = largest_of(classes, x);
    float logit = x[target];
    double sum = gradient ? sum_exponentials(classes, x, of.largest, x)
                          : sum_exponentials(classes, x, of.largest, NULL);
    loss[r] = (double)weights[r] * (log(sum) - ((double)logit - of.largest)) + of.poison;
    if (!gradient) continue;
    float scale = (float)(weights[r] / sum);
    float of_target = (float)(weights[r] * (x[target] / sum - 1));
    for (long j = 0; j < classes; j++) x[j] *= scale;
    x[target] = of_target;
  }
}

static void largest_in_rows(long rows, long columns, const float *values, int32_t *index) {
  for (long r = 0; r < rows; r++) {
    const float *x = values + r * columns;
    float largest = largest_of(columns, x).largest;
    long j = 0;
    while (j < columns && x[j] != largest) j++;
    index[r] = j < columns ? (int32_t)j : 0;
  }
}
