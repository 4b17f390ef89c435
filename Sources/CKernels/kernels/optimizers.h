/// One update of n weights w from gradients g, each multiplied by `scale` first (normalisation and clipping
/// in one).

/// SGD as PyTorch has it: with momentum v = momentum v + g (v = g in the first step), and g + momentum v as
/// the direction with `nesterov`; weight decay is decoupled: w *= 1 - learning_rate * decay before the step.
ST_KERNEL(void, sgd,
          (long n, float *w, const float *g, float *v, float scale, float learning_rate, float momentum,
           bool nesterov, bool first, float decay),
          (n, w, g, v, scale, learning_rate, momentum, nesterov, first, decay))

/// Adam (Kingma & Ba 2015), AdamW with a decoupled `decay` (Loshchilov & Hutter 2019). correction1 = 1 -
/// beta1^t and correction2 = 1 - beta2^t, of the betas as they are rounded to float here; w -= learning_rate
/// (m / correction1) / (sqrt(v / correction2) + epsilon). v grows to the largest finite number at most.
ST_KERNEL(void, adam,
          (long n, float *w, const float *g, float *m, float *v, float scale, float learning_rate, float
           beta1, float beta2, float epsilon, float decay, float correction1, float correction2),
          (n, w, g, m, v, scale, learning_rate, beta1, beta2, epsilon, decay, correction1, correction2))
