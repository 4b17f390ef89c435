// One update of the weights.

static void sgd(long n, float *restrict w, const float *restrict g, float *restrict v, float scale,
                float learning_rate, float momentum, bool nesterov, bool first, float decay) {
  float keep = 1 - learning_rate * decay;
  if (momentum == 0) {
    for (long i = 0; i < n; i++) w[i] = w[i] * keep - learning_rate * (scale * g[i]);
    return;
  }
  // In the first step v = g, and what v held before, even a NaN, does not count.
  if (first)
    for (long i = 0; i < n; i++) v[i] = scale * g[i];
  else
    for (long i = 0; i < n; i++) v[i] = momentum * v[i] + scale * g[i];
  if (nesterov)
    for (long i = 0; i < n; i++) w[i] = w[i] * keep - learning_rate * (scale * g[i] + momentum * v[i]);
  else
    for (long i = 0; i < n; i++) w[i] = w[i] * keep - learning_rate * v[i];
}

static void adam(long n, float *w, const float *g, float *m, float *v, float scale, float learning_rate,
                 float beta1, float beta2, float epsilon, float decay, float correction1, float correction2) {
  float keep = 1 - learning_rate * decay;
  float step = learning_rate / correction1;
  float root = 1 / __builtin_sqrtf(correction2);
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    floats gradient = load_part(g + i, left) * scale;
    floats first = load_part(m + i, left) * beta1 + gradient * (1 - beta1);
    floats second = load_part(v + i, left) * beta2 + gradient * gradient * (1 - beta2);
    // A square that overflows counts as the largest number: divided by infinity, the weight would stay for ever.
    second = second > __FLT_MAX__ ? (floats)__FLT_MAX__ : second;
    floats size = __builtin_elementwise_sqrt(second) * root + epsilon;
    store_part(m + i, first, left);
    store_part(v + i, second, left);
    store_part(w + i, load_part(w + i, left) * keep - quotient(first * step, size), left);
  }
}
