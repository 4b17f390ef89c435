// Functions of single numbers.

/// erf(x) = x P(x^2) / Q(x^2) up to |x| = 4, from where on it is one: the coefficients of Eigen, within 5e-7.
INLINE floats error_function(floats x) {
  // Written so that a NaN stays one.
  x = x > 4.0f ? (floats)4.0f : x;
  x = x < -4.0f ? (floats)-4.0f : x;
  floats u = x * x;
  floats p = -2.72614225801306e-10f * u + 2.77068142495902e-08f;
  p = p * u + -2.10102402082508e-06f;
  p = p * u + -5.69250639462346e-05f;
  p = p * u + -7.34990630326855e-04f;
  p = p * u + -2.95459980854025e-03f;
  p = p * u + -1.60960333262415e-02f;
  floats q = -1.45660718464996e-05f * u + -2.13374055278905e-04f;
  q = q * u + -1.68282697438203e-03f;
  q = q * u + -7.37332916720468e-03f;
  q = q * u + -1.42647390514189e-02f;
  return quotient(x * p, q);
}

/// The distribution function of a normal number of variance one.
INLINE floats normal_distribution(floats x) { return 0.5f + 0.5f * error_function(x * 0.707106781f); }

static void softplus_forward(long n, const float *x, float *y) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    store_part(y + i, softplus(load_part(x + i, left)), left);
  }
}

static void gelu_forward(long n, const float *x, float *y) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    floats v = load_part(x + i, left);
    store_part(y + i, v * normal_distribution(v), left);
  }
}

static void gelu_backward(long n, const float *x, const float *dy, float *dx) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    floats v = load_part(x + i, left);
    floats density = 0.398942280f * exponential(-0.5f * v * v);
    store_part(dx + i, load_part(dy + i, left) * (normal_distribution(v) + v * density), left);
  }
}

INLINE floats silu(floats x) { return x * sigmoid(x); }

INLINE floats silu_slope(floats x) {
  floats s = sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

static void silu_forward(long n, const float *x, float *y) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    store_part(y + i, silu(load_part(x + i, left)), left);
  }
}

static void silu_backward(long n, const float *x, const float *dy, float *dx) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    store_part(dx + i, load_part(dy + i, left) * silu_slope(load_part(x + i, left)), left);
  }
}

static void glu_forward(long rows, long n, const float *x, float *y) {
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats u = load_part(x + 2 * r * n + j, left), v = load_part(x + (2 * r + 1) * n + j, left);
      store_part(y + r * n + j, u * sigmoid(v), left);
    }
}

static void glu_backward(long rows, long n, const float *x, const float *dy, float *dx) {
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats u = load_part(x + 2 * r * n + j, left), v = load_part(x + (2 * r + 1) * n + j, left);
      floats d = load_part(dy + r * n + j, left), s = sigmoid(v);
      store_part(dx + 2 * r * n + j, d * s, left);
      store_part(dx + (2 * r + 1) * n + j, d * u * (s * (1.0f - s)), left);
    }
}

static void gated_silu_forward(long rows, long n, const float *x, float *y) {
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats u = load_part(x + 2 * r * n + j, left), v = load_part(x + (2 * r + 1) * n + j, left);
      store_part(y + r * n + j, silu(u) * v, left);
    }
}

static void gated_silu_backward(long rows, long n, const float *x, const float *dy, float *dx) {
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < n; j += WIDTH) {
      part left = part_of(n - j);
      floats u = load_part(x + 2 * r * n + j, left), v = load_part(x + (2 * r + 1) * n + j, left);
      floats d = load_part(dy + r * n + j, left), s = sigmoid(u);
      store_part(dx + 2 * r * n + j, d * v * s * (1.0f + u * (1.0f - s)), left);
      store_part(dx + (2 * r + 1) * n + j, d * u * s, left);
    }
}

static void tanh_forward(long n, const float *x, float *y) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    store_part(y + i, hyperbolic_tangent(load_part(x + i, left)), left);
  }
}

static void tanh_backward(long n, const float *y, const float *dy, float *dx) {
  for (long i = 0; i < n; i += WIDTH) {
    part left = part_of(n - i);
    floats v = load_part(y + i, left);
    store_part(dx + i, load_part(dy + i, left) * (1.0f - v * v), left);
  }
}
