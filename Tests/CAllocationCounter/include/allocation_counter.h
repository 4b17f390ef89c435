#ifndef SEQTRAIN_ALLOCATION_COUNTER_H
#define SEQTRAIN_ALLOCATION_COUNTER_H

/// The number of allocations that the calling thread has made since it began, by whatever library: a program
/// that links this counts every one.
long st_thread_allocations(void);

#endif
