// All kernels, compiled for the instruction set that the including file has chosen, and their table.

#include <math.h>
#include <time.h>

#include "../include/CKernels.h"

#include "vectors.h"

#include "elementwise.h"
#include "losses.h"
#include "optimizers.h"
#include "peak.h"
#include "products.h"
#include "recurrent.h"

#define ST_ENTRY(name) .name = name,
