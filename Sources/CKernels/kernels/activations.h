/// y = log(1 + exp(x)), within three units in the last place for x >= -87.3. y may be x.
ST_KERNEL(void, softplus_forward, (long n, const float *x, float *y), (n, x, y))

/// The Gaussian error linear unit (Hendrycks & Gimpel 2016): y = x (1 + erf(x / sqrt(2))) / 2. y may be x.
ST_KERNEL(void, gelu_forward, (long n, const float *x, float *y), (n, x, y))

/// dx = dy times the derivative of the unit at x. dx may be x or dy.
ST_KERNEL(void, gelu_backward, (long n, const float *x, const float *dy, float *dx), (n, x, dy, dx))

/// The sigmoid linear unit: y = x sigmoid(x). y may be x.
ST_KERNEL(void, silu_forward, (long n, const float *x, float *y), (n, x, y))

/// dx = dy times the derivative of the unit at x. dx may be x or dy.
ST_KERNEL(void, silu_backward, (long n, const float *x, const float *dy, float *dx), (n, x, dy, dx))

/// A gated linear unit (Dauphin et al. 2017): y[r, j] = x[r, j] sigmoid(x[r, n + j]), for x [rows, 2 n] and y [rows, n].
ST_KERNEL(void, glu_forward, (long rows, long n, const float *x, float *y), (rows, n, x, y))

/// dx [rows, 2 n] from dy [rows, n]. dx may be x.
ST_KERNEL(void, glu_backward, (long rows, long n, const float *x, const float *dy, float *dx),
          (rows, n, x, dy, dx))

/// A gated linear unit with SiLU (Shazeer 2020): y[r, j] = silu(x[r, j]) x[r, n + j], silu(v) = v sigmoid(v), for x
/// [rows, 2 n] and y [rows, n].
ST_KERNEL(void, gated_silu_forward, (long rows, long n, const float *x, float *y), (rows, n, x, y))

/// dx [rows, 2 n] from dy [rows, n]. dx may be x.
ST_KERNEL(void, gated_silu_backward, (long rows, long n, const float *x, const float *dy, float *dx),
          (rows, n, x, dy, dx))

/// y = tanh(x), within 3e-7, relatively. y may be x.
ST_KERNEL(void, tanh_forward, (long n, const float *x, float *y), (n, x, y))

/// dx = dy times the derivative of tanh where it is y. dx may be y or dy.
ST_KERNEL(void, tanh_backward, (long n, const float *y, const float *dy, float *dx), (n, y, dy, dx))
