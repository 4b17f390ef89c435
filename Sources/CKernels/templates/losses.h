// Softmax cross-entropy.

enum { EXPONENTIALS = 16 };  // vectors of exponentials summed in float before they are added in double

typedef struct {
  float largest;
  float poison;  // zero, or NaN where one of the numbers is not finite
} st_extremes;

static st_extremes largest_of(long n, const float *x) {
  floats largest = -__builtin_inff(), poison = 0;
  long j = 0;
  for (; j + WIDTH <= n; j += WIDTH) {
    floats v = load(x + j);
    largest = v > largest ? v : largest;
    poison += v * 0.0f;
  }
  st_extremes of = {-__builtin_inff(), sum_of(poison)};
  for (int i = 0; i < WIDTH; i++) of.largest = largest[i] > of.largest ? largest[i] : of.largest;
  for (; j < n; j++) {
    of.largest = x[j] > of.largest ? x[j] : of.largest;
    of.poison += x[j] * 0.0f;
  }
  return of;
}

/// exp(x - largest) for x <= largest: zero below the range of normal numbers.
INLINE floats exponential_below(floats x, float largest) {
  floats shifted = x - largest;
  floats e = exponential(shifted);
  return shifted < -87.3f ? (floats)0.0f : e;
}

/// The sum of exp(x - largest); the exponentials are written to `e`, where it is not NULL.
static double sum_exponentials(long n, const float *x, float largest, float *e) {
  doubles total = 0;
  for (long j = 0; j < n;) {
    floats sum = 0;
    for (int i = 0; i < EXPONENTIALS && j < n; i++, j += WIDTH) {
      part left = part_of(n - j);
      floats y = exponential_below(load_part(x + j, left), largest);
      if (e) store_part(e + j, y, left);
      if (n - j >= WIDTH) {
        sum += y;
      } else {
        for (long k = 0; k < n - j; k++) sum[k] += y[k];
      }
    }
    total += low_doubles(sum) + high_doubles(sum);
  }
  return sum_of_doubles(total);
}

static void softmax_cross_entropy(long rows, long classes, float *logits, const int32_t *targets,
                                  const float *weights, bool gradient, double *loss, uint8_t *correct) {
  for (long r = 0; r < rows; r++) {
    float *x = logits + r * classes;
    if (weights[r] == 0) {
      loss[r] = 0;
      if (correct) correct[r] = 0;
      if (gradient) memset(x, 0, (size_t)classes * sizeof *x);
      continue;
    }
    long target = targets[r];
    st_extremes of = largest_of(classes, x);
    float logit = x[target];
    if (correct) {
      correct[r] = logit == of.largest;
      for (long j = 0; correct[r] && j < target; j++) correct[r] = x[j] != of.largest;
    }
    double sum = sum_exponentials(classes, x, of.largest, gradient ? x : NULL);
    loss[r] = (double)weights[r] * (log(sum) - ((double)logit - of.largest)) + of.poison;
    if (!gradient) continue;
    float scale = (float)(weights[r] / sum);
    for (long j = 0; j < classes; j++) x[j] = x[j] * scale;
    x[target] = (float)(weights[r] * (exp((double)logit - of.largest) / sum - 1));
  }
}
