#ifndef SEQTRAIN_COPENMPI_SHIM_H
#define SEQTRAIN_COPENMPI_SHIM_H

#include <mpi.h>

#endif
