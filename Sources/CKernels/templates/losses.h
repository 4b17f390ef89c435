// Softmax cross-entropy, and losses of real and binary units.

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

/// The sum of factor[j] (x[j] - largest).
static double sum_weighted(long n, const float *x, float largest, const float *factor) {
  doubles total = 0;
  for (long j = 0; j < n; j += WIDTH) {
    part left = part_of(n - j);
    floats y = load_part(factor + j, left) * (load_part(x + j, left) - largest);
    total += low_doubles(y) + high_doubles(y);
  }
  return sum_of_doubles(total);
}

static void smoothed_cross_entropy(long rows, long classes, float *logits, const int32_t *targets,
                                   const float *weights, float smoothing, const float *class_weights,
                                   double *loss) {
  double share = (double)smoothing / classes, all = 0;
  for (long j = 0; j < classes; j++) all += share * class_weights[j];
  for (long r = 0; r < rows; r++) {
    float *x = logits + r * classes;
    if (weights[r] == 0) {
      loss[r] = 0;
      memset(x, 0, (size_t)classes * sizeof *x);
      continue;
    }
    long target = targets[r];
    st_extremes of = largest_of(classes, x);
    double of_target = (1 - (double)smoothing) * class_weights[target];
    double logit = (double)x[target] - of.largest;
    double linear = share * sum_weighted(classes, x, of.largest, class_weights);
    double sum = sum_exponentials(classes, x, of.largest, x);
    loss[r] = weights[r] * ((of_target + all) * log(sum) - of_target * logit - linear) + of.poison;
    float scale = (float)(weights[r] * (of_target + all) / sum);
    float uniform = (float)(weights[r] * share);
    for (long j = 0; j < classes; j++) x[j] = scale * x[j] - uniform * class_weights[j];
    x[target] -= (float)(weights[r] * of_target);
  }
}

/// The loss of a unit, and its derivatives by its output and, where there is one, by its second output.
typedef struct {
  floats value, slope, second_slope;
} unit_losses;

typedef unit_losses (*unit_rule)(floats output, floats second, floats target);

/// Losses of rows of units with `outputs_per_unit` outputs each: first all units' outputs, then all units' second
/// ones. loss[r] = weights[r] / divisor * the sum of the units' losses, each times its weight.
INLINE void losses_of_units(long rows, long units, long outputs_per_unit, double divisor, float *outputs,
                            const float *targets, const float *weights, const float *unit_weights,
                            bool gradient, double *loss, unit_rule rule) {
  long columns = units * outputs_per_unit;
  for (long r = 0; r < rows; r++) {
    float *x = outputs + r * columns;
    if (weights[r] == 0) {
      loss[r] = 0;
      if (gradient) memset(x, 0, (size_t)columns * sizeof *x);
      continue;
    }
    float scale = (float)(weights[r] / divisor);
    doubles total = 0;
    for (long j = 0; j < units; j += WIDTH) {
      part left = part_of(units - j);
      floats second = 0;
      if (outputs_per_unit > 1) second = load_part(x + units + j, left);
      unit_losses of = rule(load_part(x + j, left), second, load_part(targets + r * units + j, left));
      floats weight = unit_weights ? load_part(unit_weights + r * units + j, left)
                                   : fill_absent((floats)1.0f, left, 0.0f);
      floats value = weight == 0.0f ? (floats)0.0f : of.value * weight;
      total += low_doubles(value) + high_doubles(value);
      if (!gradient) continue;
      store_part(x + j, weight == 0.0f ? (floats)0.0f : of.slope * weight * scale, left);
      if (outputs_per_unit > 1)
        store_part(x + units + j, weight == 0.0f ? (floats)0.0f : of.second_slope * weight * scale, left);
    }
    loss[r] = weights[r] / divisor * sum_of_doubles(total);
  }
}

INLINE unit_losses squared_error_of(floats output, floats second, floats target) {
  (void)second;
  floats error = output - target;
  return (unit_losses){error * error, 2 * error, (floats)0.0f};
}

static void squared_error(long rows, long units, float *outputs, const float *targets, const float *weights,
                          const float *unit_weights, bool gradient, double *loss) {
  losses_of_units(rows, units, 1, units, outputs, targets, weights, unit_weights, gradient, loss,
                  squared_error_of);
}

/// What bounds the log variance s = BOUND tanh(output / BOUND).
#define ST_LOG_VARIANCE_BOUND 15.0f

INLINE floats bounded_log_variance(floats s) {
  return ST_LOG_VARIANCE_BOUND * hyperbolic_tangent(s * (1 / ST_LOG_VARIANCE_BOUND));
}

INLINE unit_losses gaussian_loss_of(floats mean, floats second, floats target) {
  floats s = bounded_log_variance(second), t = s * (1 / ST_LOG_VARIANCE_BOUND);
  floats error = target - mean, precision = exponential(-s), square = error * error * precision;
  // A second output that is not finite would not be noticed behind its bound.
  floats value = 0.5f * (s + square) + (0.918938533f + second * 0.0f);  // log(2 pi) / 2
  return (unit_losses){value, -error * precision, 0.5f * (1 - square) * (1 - t * t)};
}

static void gaussian_loss(long rows, long units, float *outputs, const float *targets, const float *weights,
                          const float *unit_weights, bool gradient, double *loss) {
  losses_of_units(rows, units, 2, 1, outputs, targets, weights, unit_weights, gradient, loss,
                  gaussian_loss_of);
}

/// log(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)) by its series, to 2e-9.
INLINE floats log_one_plus(floats e) {
  floats z = quotient(e, 2.0f + e), u = z * z;
  floats p = (1 / 13.0f + u * (1 / 15.0f)) * u + 1 / 11.0f;
  p = ((p * u + 1 / 9.0f) * u + 1 / 7.0f) * u + 1 / 5.0f;
  return 2 * z * ((p * u + 1 / 3.0f) * u + 1);
}

INLINE unit_losses bernoulli_loss_of(floats logit, floats second, floats target) {
  (void)second;
  floats size = logit < 0 ? -logit : logit;
  floats value = (logit > 0 ? logit : 0 * logit) - logit * target + log_one_plus(exponential(-size));
  return (unit_losses){value, sigmoid(logit) - target, (floats)0.0f};
}

static void bernoulli_loss(long rows, long units, float *outputs, const float *targets, const float *weights,
                           const float *unit_weights, bool gradient, double *loss) {
  losses_of_units(rows, units, 1, 1, outputs, targets, weights, unit_weights, gradient, loss,
                  bernoulli_loss_of);
}

static void variances(long n, const float *log_variance, float *variance) {
  for (long j = 0; j < n; j += WIDTH) {
    part left = part_of(n - j);
    store_part(variance + j, exponential(bounded_log_variance(load_part(log_variance + j, left))), left);
  }
}

static void probabilities(long n, const float *logits, float *probability) {
  for (long j = 0; j < n; j += WIDTH) {
    part left = part_of(n - j);
    store_part(probability + j, sigmoid(load_part(logits + j, left)), left);
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
