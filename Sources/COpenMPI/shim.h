#ifndef SEQTRAIN_COPENMPI_SHIM_H
#define SEQTRAIN_COPENMPI_SHIM_H

#include <mpi.h>

// Open MPI's constants are macros over addresses of globals, which Swift does not see.

static inline MPI_Comm st_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Comm st_comm_null(void) { return MPI_COMM_NULL; }
static inline MPI_Errhandler st_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline MPI_Info st_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Status *st_status_ignore(void) { return MPI_STATUS_IGNORE; }
static inline MPI_Status *st_statuses_ignore(void) { return MPI_STATUSES_IGNORE; }
static inline void *st_in_place(void) { return MPI_IN_PLACE; }

static inline MPI_Datatype st_datatype_null(void) { return MPI_DATATYPE_NULL; }
static inline MPI_Datatype st_datatype_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype st_datatype_double(void) { return MPI_DOUBLE; }
static inline MPI_Datatype st_datatype_int32(void) { return MPI_INT32_T; }
static inline MPI_Datatype st_datatype_int64(void) { return MPI_INT64_T; }
static inline MPI_Datatype st_datatype_uint8(void) { return MPI_UINT8_T; }

static inline MPI_Op st_op_min(void) { return MPI_MIN; }
static inline MPI_Op st_op_max(void) { return MPI_MAX; }
static inline MPI_Op st_op_sum(void) { return MPI_SUM; }

#endif
