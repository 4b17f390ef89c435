#ifndef SEQTRAIN_CHDF5_SHIM_H
#define SEQTRAIN_CHDF5_SHIM_H

#include <hdf5.h>

#endif
