/// One lane of Mamba's selective scan (Gu & Dao 2023, algorithm 2), gated:
///
///     D = softplus(logits),  h[n] = exp(D A[n]) h[n] + D B[n] v,  y = sum over n of C[n] h[n] + skip v,  out = y silu(gate)
///
/// with the state h [N, E]. Keeps the states that enter each block of steps.
ST_KERNEL(void, selective_scan_forward, (const st_selective_scan *s, float *h), (s, h))

/// Its backward pass, which computes the states of each block again. In: the gradient of the outputs in `outputs`, that
/// of the state that leaves in dh. Out: the gradient of the inputs in `outputs`, those of logits, gates, B and C in
/// their own places, that of the state that entered in dh. Adds the gradient of `decay`, divided by ln 2, to ddecay [N, E],
/// and that of `skip` to dskip [E]. `scratch` has room for 2 ST_SELECTIVE_BLOCK N vectors of 16 floats.
ST_KERNEL(void, selective_scan_backward,
          (const st_selective_scan *s, float *dh, float *ddecay, float *dskip, float *scratch),
          (s, dh, ddecay, dskip, scratch))

/// One lane of diagonal linear systems (Gu, Gupta, Goel & Re 2022), complex:
///
///     h[n] = a[n] h[n] + b[n] x,  y = Re(sum over n of c[n] h[n]) + skip x
///
/// with the state h [2, N, C], real and imaginary parts, and outputs y [., C]. Keeps the states that enter each block.
ST_KERNEL(void, diagonal_scan_forward, (const st_diagonal_scan *s, float *h, float *y), (s, h, y))

/// Its backward pass, which computes the states of each block again: dx from dy; dh from that of the state that leaves to
/// that of the state that entered. Adds to those of the system, [6, N, C], and of `skip`. dx may be NULL.
ST_KERNEL(void, diagonal_scan_backward,
          (const st_diagonal_scan *s, const float *dy, float *dh, float *dsystem, float *dskip, float *dx),
          (s, dy, dh, dsystem, dskip, dx))
