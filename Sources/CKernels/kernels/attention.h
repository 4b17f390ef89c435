/// Attention of one head of one lane. Queries [U, D], keys and values [S, D], rows without gaps; query u sees the keys
/// first[u] to last[u]. Scores are q . k: what scales them is in q.

/// out[r] = factor x[r] for r < rows, x [rows, D] in rows of `stride`, out without gaps. With `turns` [rows, D], D / 2 cosines
/// and D / 2 sines each, the pairs (j, j + D / 2) are turned by those angles (Su et al. 2021).
ST_KERNEL(void, gather_head,
          (long rows, long width, const float *x, long stride, const float *turns, float factor, float *out),
          (rows, width, x, stride, turns, factor, out))

/// The gradient of that: out[r] = factor x[r], turned back, x without gaps, out in rows of `stride`.
ST_KERNEL(void, scatter_head,
          (long rows, long width, const float *x, const float *turns, float factor, float *out, long stride),
          (rows, width, x, turns, factor, out, stride))

/// Floats of scratch memory that attention of that head width needs.
ST_KERNEL(size_t, attention_scratch, (long width), (width))

/// y[u] = sum over s of p_us v_s, p = softmax of the scores, 0 for a query that sees no key; y in rows of `stride`. Keeps each
/// query's largest score and the inverse of the sum of exp(score - largest). Keys pass in blocks with running maxima (Milakov &
/// Gimelshein 2018; Dao et al. 2022), so that no score is kept.
ST_KERNEL(void, attention_forward,
          (long queries, long width, const float *q, const float *k, const float *v, const int32_t *first,
           const int32_t *last, float *y, long stride, float *largest, float *inverse, float *scratch),
          (queries, width, q, k, v, first, last, y, stride, largest, inverse, scratch))

/// From dy, in rows of `stride` as y, the gradient dq, and that of the keys and values from `wanted` on, added to dk and dv;
/// with what forward kept.
ST_KERNEL(void, attention_backward,
          (long queries, long width, const float *q, const float *k, const float *v, const int32_t *first,
           const int32_t *last, const float *y, const float *dy, long stride, const float *largest,
           const float *inverse, long wanted, float *dq, float *dk, float *dv, float *scratch),
          (queries, width, q, k, v, first, last, y, dy, stride, largest, inverse, wanted, dq, dk, dv, scratch))
