/// Attention over the sources of pairs. Arrays are time-major: `steps` time steps of what attends, q, y [steps B, width],
/// and of the source, k [S B, width]; lane b's source has lengths[b] positions, and what lies behind them is not looked at.
/// Weights and scores a [steps B, lda] have a row for each time step and lane, of a number for each source position. Sums
/// run in the order of positions: what lies behind a lane's end, or in other lanes, is not in their bits.

/// a[t, b, s] = q[t, b] . k[s, b]
ST_KERNEL(void, source_products,
          (long steps, long lanes, long width, const int32_t *lengths, const float *q, const float *k, float *a,
           long lda),
          (steps, lanes, width, lengths, q, k, a, lda))

/// y[t, b] = sum over s of a[t, b, s] k[s, b], or += with `accumulate`.
ST_KERNEL(void, source_sums,
          (long steps, long lanes, long width, const int32_t *lengths, const float *a, long lda, const float *k,
           float *y, bool accumulate),
          (steps, lanes, width, lengths, a, lda, k, y, accumulate))

/// k[s, b] += sum over t of a[t, b, s] y[t, b], the transposed of that.
ST_KERNEL(void, add_to_source,
          (long steps, long lanes, long width, const int32_t *lengths, const float *a, long lda, const float *y,
           float *k),
          (steps, lanes, width, lengths, a, lda, y, k))

/// The scores of additive attention (Bahdanau et al. 2015): a[t, b, s] = v . tanh(q[t, b] + k[s, b]).
ST_KERNEL(void, additive_scores,
          (long steps, long lanes, long width, const int32_t *lengths, const float *q, const float *k,
           const float *v, float *a, long lda),
          (steps, lanes, width, lengths, q, k, v, a, lda))

/// From the gradients a of those scores: writes dq [steps B, width], adds to dk [S B, width] and to dv [B, width], which
/// is the sum over a lane. The hyperbolic tangents are computed anew.
ST_KERNEL(void, additive_scores_backward,
          (long steps, long lanes, long width, const int32_t *lengths, const float *q, const float *k,
           const float *v, const float *a, long lda, float *dq, float *dk, float *dv),
          (steps, lanes, width, lengths, q, k, v, a, lda, dq, dk, dv))

/// a[r, :] becomes softmax(scale a[r, :n]) over the n positions of the row's lane, zero behind them.
ST_KERNEL(void, source_softmax,
          (long steps, long lanes, const int32_t *lengths, float scale, float *a, long lda),
          (steps, lanes, lengths, scale, a, lda))

/// da, the gradient of the softmax a, becomes that of what it was taken of.
ST_KERNEL(void, source_softmax_backward,
          (long steps, long lanes, const int32_t *lengths, float scale, const float *a, float *da, long lda),
          (steps, lanes, lengths, scale, a, da, lda))
