#ifndef SEQTRAIN_ALLOCATION_COUNTER_H
#define SEQTRAIN_ALLOCATION_COUNTER_H

#include <stddef.h>

/// The number of allocations that the calling thread has made since it began, by whatever library: a program
/// that links this counts every one.
long st_thread_allocations(void);

/// The bytes that it has asked for in all of them, whether freed since or not.
size_t st_thread_allocated_bytes(void);

#endif
