// The kernels in plain C: for any processor.

#define ST_AVX512 0
#define ST_AVX2 0
#include "templates/kernels.h"

const st_kernels st_generic_kernels = {
#define ST_KERNEL(result, name, parameters, arguments) .name = name,
#include "kernels/all.h"
};
