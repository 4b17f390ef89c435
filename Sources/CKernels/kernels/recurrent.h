/// The pointwise part of one time step of the recurrent cells, forward and backward, over B lanes of H units.
///
/// `x` holds the input projections with biases added: lane b reads row `index ? index[b] : b` of it, each row
/// G H floats for a cell of G gates. `r` [B, G H] is the recurrent product h_prev W_hh^T of the step. Arrays
/// may be the same only where said. sigmoid and tanh are within 3e-7 of their values, relatively; NaN
/// propagates.

/// LSTM, gates in the order i f g o (PyTorch's nn.LSTM):
///   i, f, o = sigmoid(x + r), g = tanh(x + r), c = f c_prev + i g, h = o tanh(c).
/// Writes the activated gates [B, 4H] (may be the rows of x), c, tanh(c) and h [B, H].
ST_KERNEL(void, lstm_forward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *r, const float
           *c_prev, float *gates, float *c, float *tanh_c, float *h),
          (lanes, hidden, x, index, r, c_prev, gates, c, tanh_c, h))

/// Takes dh [B, H], the whole gradient of h, and dc [B, H], the gradient of c from the step after; turns
/// `gates` into the gradients of the pre-activations and dc into the gradient of c_prev.
ST_KERNEL(void, lstm_backward,
          (long lanes, long hidden, const float *dh, const float *c_prev, const float *tanh_c, float *gates,
           float *dc),
          (lanes, hidden, dh, c_prev, tanh_c, gates, dc))

/// GRU, gates in the order r z n (PyTorch's nn.GRU), bias_n [H] the recurrent bias of n, which the reset gate
/// scales:
///   r, z = sigmoid(x + r), m = r_n + bias_n, n = tanh(x_n + r m), h = (1 - z) n + z h_prev.
/// Writes the activated gates [B, 3H] (may be the rows of x), m [B, H] and h [B, H].
ST_KERNEL(void, gru_forward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *r, const float
           *bias_n, const float *h_prev, float *gates, float *m, float *h),
          (lanes, hidden, x, index, r, bias_n, h_prev, gates, m, h))

/// Takes dh [B, H]; turns `gates` into the gradients of the input projections, m into the gradient of m, and
/// adds to dh_prev [B, H] the part of the gradient of h_prev that does not pass through the products.
ST_KERNEL(void, gru_backward,
          (long lanes, long hidden, const float *dh, const float *h_prev, float *gates, float *m, float
           *dh_prev),
          (lanes, hidden, dh, h_prev, gates, m, dh_prev))

/// Elman RNN: h = tanh(x + r), or max(x + r, 0) with `relu`. x: rows of H.
ST_KERNEL(void, rnn_forward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *r, bool relu, float
           *h),
          (lanes, hidden, x, index, r, relu, h))

/// da [B, H] = dh times the derivative of the activation at the output h. da may be dh.
ST_KERNEL(void, rnn_backward,
          (long lanes, long hidden, const float *dh, const float *h, bool relu, float *da),
          (lanes, hidden, dh, h, relu, da))

/// LSTM of two gates, in the order f i g: f, i = sigmoid(x + r), g = tanh(x + r), h = f h_prev + i g. Writes the
/// activated gates [B, 3H] (may be the rows of x) and h [B, H].
ST_KERNEL(void, lstm2_forward,
          (long lanes, long hidden, const float *x, const int32_t *index, const float *r, const float
           *h_prev, float *gates, float *h),
          (lanes, hidden, x, index, r, h_prev, gates, h))

/// Takes dh [B, H]; turns `gates` into the gradients of the pre-activations, and adds to dh_prev [B, H] the part
/// of the gradient of h_prev that does not pass through the products.
ST_KERNEL(void, lstm2_backward,
          (long lanes, long hidden, const float *dh, const float *h_prev, float *gates, float *dh_prev),
          (lanes, hidden, dh, h_prev, gates, dh_prev))
