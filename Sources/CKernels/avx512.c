// The kernels for AVX-512 (F, DQ, BW and VL).

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>
#include <time.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), \
                             apply_to = function)

#define ST_AVX512 1
#define ST_AVX2 0
#include "templates/kernels.h"

const st_kernels st_avx512_kernels = {
#define ST_KERNEL(result, name, parameters, arguments) .name = name,
#include "kernels/all.h"
};

#pragma clang attribute pop

#endif
