#ifndef SEQTRAIN_KERNELS_H
#define SEQTRAIN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scans.h"

/// The most rows of a gradient of weights that are summed before the sum is added to the result.
enum { ST_ROW_DEPTH = 512 };

// Every kernel stands in kernels/ once, as ST_KERNEL(result, name, (parameters), (arguments)). From that list come
// its declaration here, its place in the table of an instruction set, and its dispatch.
#define ST_KERNEL(result, name, parameters, arguments) result st_##name parameters;
#include "../kernels/all.h"
#undef ST_KERNEL

/// The kernels of one instruction set, each as the function `st_...` of the same name describes it.
typedef struct {
#define ST_KERNEL(result, name, parameters, arguments) result(*name) parameters;
#include "../kernels/all.h"
#undef ST_KERNEL
} st_kernels;

#endif
