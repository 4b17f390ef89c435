#ifndef SEQTRAIN_CONEDNN_SHIM_H
#define SEQTRAIN_CONEDNN_SHIM_H

#include <dnnl.h>

#endif
