// The time steps of a complex diagonal recurrence. With s = p - i q a step is p + i q = conj(lambda) (p + i q) + gamma conj(u).

static void lru_forward(long lanes, long states, const float *system, const float *before, float *s) {
  for (long b = 0; b < lanes; b++)
    for (long j = 0; j < states; j += WIDTH) {
      part n = part_of(states - j);
      long re = 2 * b * states + j, im = re + states;
      floats lambda_re = load_part(system + j, n), lambda_im = load_part(system + states + j, n),
             gamma = load_part(system + 2 * states + j, n);
      floats p = load_part(before + re, n), q = load_part(before + im, n);
      store_part(s + re, lambda_re * p + lambda_im * q + gamma * load_part(s + re, n), n);
      store_part(s + im, lambda_re * q - lambda_im * p - gamma * load_part(s + im, n), n);
    }
}

static void lru_backward(long lanes, long states, const float *system, const float *before, const float *s,
                         float *ds, float *dstate, float *sums) {
  for (long b = 0; b < lanes; b++)
    for (long j = 0; j < states; j += WIDTH) {
      part n = part_of(states - j);
      long re = 2 * b * states + j, im = re + states;
      floats lambda_re = load_part(system + j, n), lambda_im = load_part(system + states + j, n),
             gamma = load_part(system + 2 * states + j, n);
      floats p = load_part(before + re, n), q = load_part(before + im, n);
      floats input_p = load_part(s + re, n) - (lambda_re * p + lambda_im * q);
      floats input_q = load_part(s + im, n) - (lambda_re * q - lambda_im * p);
      floats dp = load_part(ds + re, n) + load_part(dstate + re, n);
      floats dq = load_part(ds + im, n) + load_part(dstate + im, n);
      store_part(ds + re, gamma * dp, n);
      store_part(ds + im, -gamma * dq, n);
      store_part(dstate + re, lambda_re * dp - lambda_im * dq, n);
      store_part(dstate + im, lambda_im * dp + lambda_re * dq, n);
      store_part(sums + j, load_part(sums + j, n) + (dp * p + dq * q), n);
      store_part(sums + states + j, load_part(sums + states + j, n) + (dp * q - dq * p), n);
      store_part(sums + 2 * states + j, load_part(sums + 2 * states + j, n) + (dp * input_p + dq * input_q), n);
    }
}
