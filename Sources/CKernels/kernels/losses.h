/// Softmax cross-entropy over rows of logits [rows, classes]. loss[r] = weights[r] * -log
/// softmax(logits[r])[targets[r]], in double. With `gradient` the logits become weights[r] (softmax -
/// one-hot), otherwise they are left alone. A logit that is not finite makes the loss so; a row of weight zero is
/// not looked at, its loss and gradient are zero.
ST_KERNEL(void, softmax_cross_entropy,
          (long rows, long classes, float *logits, const int32_t *targets, const float *weights, bool
           gradient, double *loss),
          (rows, classes, logits, targets, weights, gradient, loss))

/// The same with a part `smoothing` of each target's weight spread evenly over all classes, and each class c weighted
/// by class_weights[c], as torch.nn.CrossEntropyLoss does: loss[r] = weights[r] sum_c q_c (-log softmax(logits[r])_c),
/// q_c = class_weights[c] ((1 - smoothing) [c is the target] + smoothing / classes). The logits become their gradient.
ST_KERNEL(void, smoothed_cross_entropy,
          (long rows, long classes, float *logits, const int32_t *targets, const float *weights, float
           smoothing, const float *class_weights, double *loss),
          (rows, classes, logits, targets, weights, smoothing, class_weights, loss))

/// The mean over the units of the squared differences of outputs and targets [rows, units], times weights[r], in
/// double. With unit_weights [rows, units], where it is not NULL, each unit counts as much. With `gradient` the outputs
/// become their gradient, otherwise they are left alone. An output that is not finite makes the loss so; a row or unit
/// of weight zero is not looked at, its loss and gradient are zero.
ST_KERNEL(void, squared_error,
          (long rows, long units, float *outputs, const float *targets, const float *weights, const float
           *unit_weights, bool gradient, double *loss),
          (rows, units, outputs, targets, weights, unit_weights, gradient, loss))

/// The same for the sum over the units of -log N(target; mean, exp(s)), where outputs [rows, 2 units] are first the
/// means, then what the log variances s = 15 tanh(output / 15) are bounded from: no variance becomes zero or overflows.
ST_KERNEL(void, gaussian_loss,
          (long rows, long units, float *outputs, const float *targets, const float *weights, const float
           *unit_weights, bool gradient, double *loss),
          (rows, units, outputs, targets, weights, unit_weights, gradient, loss))

/// The same for the sum over the units of -log p(target), where outputs are the logits of targets that are 1, or of
/// the share of 1 that a target between 0 and 1 is.
ST_KERNEL(void, bernoulli_loss,
          (long rows, long units, float *outputs, const float *targets, const float *weights, const float
           *unit_weights, bool gradient, double *loss),
          (rows, units, outputs, targets, weights, unit_weights, gradient, loss))

/// The variances that st_gaussian_loss makes of its second outputs.
ST_KERNEL(void, variances,
          (long n, const float *log_variance, float *variance),
          (n, log_variance, variance))

/// 1 / (1 + exp(-logit)), element by element.
ST_KERNEL(void, probabilities,
          (long n, const float *logits, float *probability),
          (n, logits, probability))

/// index[r] = the column of the largest value of row r of values [rows, columns], the first of equals; 0 where
/// all are NaN.
ST_KERNEL(void, largest_in_rows,
          (long rows, long columns, const float *values, int32_t *index),
          (rows, columns, values, index))
