#ifndef SEQTRAIN_INSTRUCTION_SETS_H
#define SEQTRAIN_INSTRUCTION_SETS_H

#include "kernels.h"

/// The kernels for "avx512", "avx2" or "generic"; NULL where this processor can't run them. For tests: the
/// functions `st_...` use the best set there is, or a lower one named by the environment variable
/// SEQTRAIN_ISA. Packed weights are understood by the set that packed them only.
const st_kernels *st_kernels_of(const char *instruction_set);

/// The vector instructions in use: "avx512", "avx2" or "generic".
const char *st_instruction_set(void);

/// Whether this processor multiplies bfloat16 by itself (AVX-512 BF16 or AMX), and SEQTRAIN_ISA lets it.
bool st_has_bfloat16(void);

#endif
