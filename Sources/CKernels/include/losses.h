#ifndef SEQTRAIN_LOSSES_H
#define SEQTRAIN_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

/// Softmax cross-entropy over rows of logits [rows, classes]. loss[r] = weights[r] * -log
/// softmax(logits[r])[targets[r]], in double; correct[r] (may be NULL) = 1 where the largest logit, the first
/// of equals, is the target's and the weight is not zero. With `gradient` the logits become weights[r]
/// (softmax - one-hot), else they are left alone. A logit that is not finite makes the loss so; a row of
/// weight zero is not looked at, its loss and gradient are zero.
void st_softmax_cross_entropy(long rows, long classes, float *logits, const int32_t *targets,
                              const float *weights, bool gradient, double *loss, uint8_t *correct);

#endif
