#ifndef SEQTRAIN_CKERNELS_H
#define SEQTRAIN_CKERNELS_H

#include "elementwise.h"
#include "instruction_sets.h"
#include "losses.h"
#include "optimizers.h"
#include "philox.h"
#include "products.h"
#include "random.h"
#include "recurrent.h"

#endif
