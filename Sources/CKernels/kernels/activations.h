/// The Gaussian error linear unit (Hendrycks & Gimpel 2016): y = x (1 + erf(x / sqrt(2))) / 2. y may be x.
ST_KERNEL(void, gelu_forward, (long n, const float *x, float *y), (n, x, y))

/// dx = dy times the derivative of the unit at x. dx may be x or dy.
ST_KERNEL(void, gelu_backward, (long n, const float *x, const float *dy, float *dx), (n, x, dy, dx))
