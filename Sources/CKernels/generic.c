// The kernels in plain C: for any processor.

#define ST_AVX512 0
#define ST_AVX2 0
#include "templates/kernels.h"

const st_kernels st_generic_kernels = {ST_EACH_KERNEL(ST_ENTRY)};
