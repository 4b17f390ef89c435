#ifndef SEQTRAIN_INSTRUCTION_SETS_H
#define SEQTRAIN_INSTRUCTION_SETS_H

#include <stdbool.h>

#include "elementwise.h"
#include "losses.h"
#include "optimizers.h"
#include "products.h"
#include "random.h"
#include "recurrent.h"

// clang-format off
/// The kernels that are compiled once for each instruction set.
#define ST_EACH_KERNEL(USE)                                                                                \
  USE(add) USE(fill_rows) USE(add_column_sums) USE(add_column_products) USE(gather_rows)                   \
  USE(round_rows) USE(scatter_add_rows) USE(dropout) USE(layer_norm_forward) USE(layer_norm_backward)      \
  USE(sum_of_squares) USE(first_non_finite) USE(normal_numbers) USE(uniform_numbers)                       \
  USE(softmax_cross_entropy) USE(largest_in_rows) USE(sgd) USE(adam) USE(lstm_forward) USE(lstm_backward)  \
  USE(gru_forward) USE(gru_backward) USE(rnn_forward) USE(rnn_backward) USE(product_scratch)               \
  USE(product_forward) USE(product_input_gradient) USE(product_weight_gradient) USE(packed_size)           \
  USE(panel_columns) USE(pack_forward) USE(pack_input_gradient) USE(product_packed) USE(measure_peak)
// clang-format on

/// The kernels of one instruction set, each as the function `st_...` of the same name describes it.
typedef struct {
#define ST_FIELD(name) __typeof__(st_##name) *name;
  ST_EACH_KERNEL(ST_FIELD)
#undef ST_FIELD
} st_kernels;

/// The kernels for "avx512", "avx2" or "generic"; NULL where this processor can't run them. For tests: the
/// functions `st_...` use the best set there is, or a lower one named by the environment variable
/// SEQTRAIN_ISA. Packed weights are understood by the set that packed them only.
const st_kernels *st_kernels_of(const char *instruction_set);

/// The vector instructions in use: "avx512", "avx2" or "generic".
const char *st_instruction_set(void);

/// Whether this processor multiplies bfloat16 by itself (AVX-512 BF16 or AMX), and SEQTRAIN_ISA lets it.
bool st_has_bfloat16(void);

#endif
