/// A time step of a complex diagonal recurrence (Orvieto et al. 2023), s = lambda s_prev + gamma u, for lanes of N states. s
/// is kept as two planes, [lanes, 2 N]: Re s and -Im s. In `s` stand Re u and Im u first. `system` [3, N] holds Re lambda,
/// Im lambda and gamma.
ST_KERNEL(void, lru_forward, (long lanes, long states, const float *system, const float *before, float *s),
          (lanes, states, system, before, s))

/// The gradient of that from that of the step's state, in the planes of ds, and `dstate`, by later steps, which becomes that
/// of s_prev. Leaves the gradients of Re u and Im u in ds, and adds those of Re lambda, Im lambda and log gamma to sums [3, N],
/// lanes in order. gamma u is had again from s and s_prev, to the rounding of s.
ST_KERNEL(void, lru_backward,
          (long lanes, long states, const float *system, const float *before, const float *s, float *ds,
           float *dstate, float *sums),
          (lanes, states, system, before, s, ds, dstate, sums))
