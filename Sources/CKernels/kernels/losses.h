/// Softmax cross-entropy over rows of logits [rows, classes]. loss[r] = weights[r] * -log
/// softmax(logits[r])[targets[r]], in double. With `gradient` the logits become weights[r] (softmax -
/// one-hot), otherwise they are left alone. A logit that is not finite makes the loss so; a row of weight zero is
/// not looked at, its loss and gradient are zero.
ST_KERNEL(void, softmax_cross_entropy,
          (long rows, long classes, float *logits, const int32_t *targets, const float *weights, bool
           gradient, double *loss),
          (rows, classes, logits, targets, weights, gradient, loss))

/// index[r] = the column of the largest value of row r of values [rows, columns], the first of equals; 0 where
/// all are NaN.
ST_KERNEL(void, largest_in_rows,
          (long rows, long columns, const float *values, int32_t *index),
          (rows, columns, values, index))
