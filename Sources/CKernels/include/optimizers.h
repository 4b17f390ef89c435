#ifndef SEQTRAIN_OPTIMIZERS_H
#define SEQTRAIN_OPTIMIZERS_H

#include <stdbool.h>

/// One update of n weights w from gradients g, each multiplied by `scale` first (normalisation and clipping
/// in one).

/// SGD as PyTorch has it: with momentum v = momentum v + g (v = g in the first step), and g + momentum v as
/// the direction with `nesterov`; weight decay is decoupled: w *= 1 - learning_rate * decay before the step.
void st_sgd(long n, float *w, const float *g, float *v, float scale, float learning_rate, float momentum,
            bool nesterov, bool first, float decay);

/// Adam (Kingma & Ba 2015), AdamW with a decoupled `decay` (Loshchilov & Hutter 2019). correction1 = 1 -
/// beta1^t and correction2 = 1 - beta2^t, of the betas as they are rounded to float here; w -= learning_rate
/// (m / correction1) / (sqrt(v / correction2) + epsilon). v grows to the largest finite number at most.
void st_adam(long n, float *w, const float *g, float *m, float *v, float scale, float learning_rate,
             float beta1, float beta2, float epsilon, float decay, float correction1, float correction2);

#endif
