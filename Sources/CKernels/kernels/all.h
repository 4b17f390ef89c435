// The list of all kernels; read several times, so without guards.
#include "activations.h"
#include "convolution.h"
#include "elementwise.h"
#include "losses.h"
#include "optimizers.h"
#include "products.h"
#include "random.h"
#include "recurrent.h"
