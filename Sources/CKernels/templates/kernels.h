// All kernels, compiled for the instruction set that the including file has chosen, and their table.

#include <math.h>
#include <time.h>

#include "../include/CKernels.h"
#include "vectors.h"

#include "activations.h"
#include "convolution.h"
#include "elementwise.h"
#include "losses.h"
#include "lru.h"
#include "minimal.h"
#include "optimizers.h"
#include "peak.h"
#include "recurrent.h"
#include "source_attention.h"

// Each of these needs some before it.
#include "scans.h"
#include "mamba.h"
#include "s4d.h"
#include "random.h"
#include "dropout.h"
#include "products_tile.h"
#include "products_pack.h"
#include "products.h"
#include "attention.h"
