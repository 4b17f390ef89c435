// The kernels' public functions: each calls the one of the instruction set in use.

#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

extern const st_kernels st_generic_kernels, st_avx2_kernels, st_avx512_kernels;

#if defined(__x86_64__)

#include <cpuid.h>

static bool has_avx512(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static const st_kernels *avx512_kernels(void) { return has_avx512() ? &st_avx512_kernels : NULL; }
static const st_kernels *avx2_kernels(void) { return has_avx2() ? &st_avx2_kernels : NULL; }

static bool has_bfloat16(void) {
  unsigned a, b, c, d;
  bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
  bool avx512 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
  return amx || avx512;
}

#else

static const st_kernels *avx512_kernels(void) { return NULL; }
static const st_kernels *avx2_kernels(void) { return NULL; }
static bool has_bfloat16(void) { return false; }

#endif

const st_kernels *st_kernels_of(const char *instruction_set) {
  if (strcmp(instruction_set, "avx512") == 0) return avx512_kernels();
  if (strcmp(instruction_set, "avx2") == 0) return avx2_kernels();
  return strcmp(instruction_set, "generic") == 0 ? &st_generic_kernels : NULL;
}

// Chosen once, before the program begins; never changed after that.
static const st_kernels *in_use = &st_generic_kernels;
static const char *name_in_use = "generic";

__attribute__((constructor)) static void choose(void) {
  static const char *const best_first[] = {"avx512", "avx2", "generic"};
  const char *wanted = getenv("SEQTRAIN_ISA");
  int first = 0;
  for (int i = 0; i < 3; i++)
    if (wanted && strcmp(wanted, best_first[i]) == 0) first = i;
  for (int i = first; i < 3; i++) {
    const st_kernels *kernels = st_kernels_of(best_first[i]);
    if (!kernels) continue;
    in_use = kernels;
    name_in_use = best_first[i];
    return;
  }
}

const char *st_instruction_set(void) { return name_in_use; }

bool st_has_bfloat16(void) { return in_use == avx512_kernels() && has_bfloat16(); }

size_t st_product_scratch(void) { return in_use->product_scratch(); }

void st_product_forward(long m, long n, long k, const float *a, long lda, const float *w, long ldw, float *c,
                        long ldc, bool accumulate, bool round_inputs, float *scratch) {
  in_use->product_forward(m, n, k, a, lda, w, ldw, c, ldc, accumulate, round_inputs, scratch);
}

void st_product_input_gradient(long m, long n, long k, const float *a, long lda, const float *w, long ldw,
                               float *c, long ldc, bool accumulate, bool round_inputs, float *scratch) {
  in_use->product_input_gradient(m, n, k, a, lda, w, ldw, c, ldc, accumulate, round_inputs, scratch);
}

void st_product_weight_gradient(long m, long n, long rows, long lanes, long stride, const float *a, long lda,
                                const float *b, long ldb, float *c, long ldc, bool round_inputs,
                                float *scratch) {
  in_use->product_weight_gradient(m, n, rows, lanes, stride, a, lda, b, ldb, c, ldc, round_inputs, scratch);
}

size_t st_packed_size(long n, long k) { return in_use->packed_size(n, k); }

long st_panel_columns(void) { return in_use->panel_columns(); }

void st_pack_forward(long n, long k, const float *w, long ldw, bool round_inputs, float *packed) {
  in_use->pack_forward(n, k, w, ldw, round_inputs, packed);
}

void st_pack_input_gradient(long n, long k, const float *w, long ldw, bool round_inputs, float *packed) {
  in_use->pack_input_gradient(n, k, w, ldw, round_inputs, packed);
}

void st_product_packed(long m, long n, long k, const float *a, long lda, const float *packed, float *c,
                       long ldc, bool accumulate, bool round_inputs, float *scratch) {
  in_use->product_packed(m, n, k, a, lda, packed, c, ldc, accumulate, round_inputs, scratch);
}

double st_measure_peak(void) { return in_use->measure_peak(); }

void st_lstm_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r,
                     const float *c_prev, float *gates, float *c, float *tanh_c, float *h) {
  in_use->lstm_forward(lanes, hidden, x, index, r, c_prev, gates, c, tanh_c, h);
}

void st_lstm_backward(long lanes, long hidden, const float *dh, const float *c_prev, const float *tanh_c,
                      float *gates, float *dc) {
  in_use->lstm_backward(lanes, hidden, dh, c_prev, tanh_c, gates, dc);
}

void st_gru_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r,
                    const float *bias_n, const float *h_prev, float *gates, float *m, float *h) {
  in_use->gru_forward(lanes, hidden, x, index, r, bias_n, h_prev, gates, m, h);
}

void st_gru_backward(long lanes, long hidden, const float *dh, const float *h_prev, float *gates, float *m,
                     float *dh_prev) {
  in_use->gru_backward(lanes, hidden, dh, h_prev, gates, m, dh_prev);
}

void st_rnn_forward(long lanes, long hidden, const float *x, const int32_t *index, const float *r, bool relu,
                    float *h) {
  in_use->rnn_forward(lanes, hidden, x, index, r, relu, h);
}

void st_rnn_backward(long lanes, long hidden, const float *dh, const float *h, bool relu, float *da) {
  in_use->rnn_backward(lanes, hidden, dh, h, relu, da);
}

void st_softmax_cross_entropy(long rows, long classes, float *logits, const int32_t *targets,
                              const float *weights, bool gradient, double *loss) {
  in_use->softmax_cross_entropy(rows, classes, logits, targets, weights, gradient, loss);
}

void st_largest_in_rows(long rows, long columns, const float *values, int32_t *index) {
  in_use->largest_in_rows(rows, columns, values, index);
}

void st_sgd(long n, float *w, const float *g, float *v, float scale, float learning_rate, float momentum,
            bool nesterov, bool first, float decay) {
  in_use->sgd(n, w, g, v, scale, learning_rate, momentum, nesterov, first, decay);
}

void st_adam(long n, float *w, const float *g, float *m, float *v, float scale, float learning_rate,
             float beta1, float beta2, float epsilon, float decay, float correction1, float correction2) {
  in_use->adam(n, w, g, m, v, scale, learning_rate, beta1, beta2, epsilon, decay, correction1, correction2);
}

void st_add(long n, const float *a, const float *b, float *out) { in_use->add(n, a, b, out); }

void st_fill_rows(long rows, long n, const float *a, float *c, long ldc) {
  in_use->fill_rows(rows, n, a, c, ldc);
}

void st_add_column_sums(long n, long rows, long lanes, long stride, const float *x, long ldx, float *sums) {
  in_use->add_column_sums(n, rows, lanes, stride, x, ldx, sums);
}

void st_gather_rows(long rows, long n, const float *table, const int32_t *index, float *out) {
  in_use->gather_rows(rows, n, table, index, out);
}

void st_round_rows(long n, long rows, long lanes, long stride, const float *x, long ldx, uint16_t *out) {
  in_use->round_rows(n, rows, lanes, stride, x, ldx, out);
}

void st_scatter_add_rows(long n, long rows, long lanes, long stride, const float *x, long ldx,
                         const int32_t *index, float *out) {
  in_use->scatter_add_rows(n, rows, lanes, stride, x, ldx, index, out);
}

void st_dropout(long rows, long n, const float *x, float keep, uint64_t key, uint32_t step, uint32_t time,
                uint32_t first_lane, float *out) {
  in_use->dropout(rows, n, x, keep, key, step, time, first_lane, out);
}

void st_layer_norm_forward(long rows, long n, const float *x, const float *gain, const float *bias,
                           float epsilon, float *normalized, float *inverse_deviation, float *y) {
  in_use->layer_norm_forward(rows, n, x, gain, bias, epsilon, normalized, inverse_deviation, y);
}

void st_layer_norm_backward(long rows, long n, const float *dy, const float *normalized,
                            const float *inverse_deviation, const float *gain, float *dx) {
  in_use->layer_norm_backward(rows, n, dy, normalized, inverse_deviation, gain, dx);
}

void st_add_column_products(long n, long rows, long lanes, long stride, const float *x, const float *y,
                            long ld, float *sums) {
  in_use->add_column_products(n, rows, lanes, stride, x, y, ld, sums);
}

double st_sum_of_squares(long n, const float *x) { return in_use->sum_of_squares(n, x); }

long st_first_non_finite(long n, const float *x) { return in_use->first_non_finite(n, x); }

void st_normal_numbers(long n, float deviation, uint64_t key, uint32_t c1, uint32_t c2, uint32_t c3,
                       float *out) {
  in_use->normal_numbers(n, deviation, key, c1, c2, c3, out);
}

void st_uniform_numbers(long n, float bound, uint64_t key, uint32_t c1, uint32_t c2, uint32_t c3,
                        float *out) {
  in_use->uniform_numbers(n, bound, key, c1, c2, c3, out);
}
