#ifndef SEQTRAIN_CKERNELS_H
#define SEQTRAIN_CKERNELS_H

#include "instruction_sets.h"
#include "kernels.h"
#include "philox.h"
#include "scans.h"

#endif
