// One update of the weights. The compiler vectorises these loops.

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

static void adam(long n, float *restrict w, const float *restrict g, float *restrict m, float *restrict v,
                 float scale, float learning_rate, float beta1, float beta2, float epsilon, float decay,
                 float correction1, float correction2) {
  float keep = 1 - learning_rate * decay;
  float step = learning_rate / correction1;
  float root = 1 / sqrtf(correction2);
  for (long i = 0; i < n; i++) {
    float gradient = scale * g[i];
    m[i] = beta1 * m[i] + (1 - beta1) * gradient;
    v[i] = beta2 * v[i] + (1 - beta2) * (gradient * gradient);
    w[i] = w[i] * keep - step * m[i] / (sqrtf(v[i]) * root + epsilon);
  }
}
