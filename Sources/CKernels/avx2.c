// The kernels for AVX2 and FMA.

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>
#include <time.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define ST_AVX512 0
#define ST_AVX2 1
#include "templates/kernels.h"

const st_kernels st_avx2_kernels = {
#define ST_KERNEL(result, name, parameters, arguments) .name = name,
#include "kernels/all.h"
};

#pragma clang attribute pop

#endif
