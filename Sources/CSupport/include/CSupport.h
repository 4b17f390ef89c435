#ifndef SEQTRAIN_SUPPORT_H
#define SEQTRAIN_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

/// Makes SIGUSR1, SIGTERM, SIGINT and, unless it is ignored, SIGHUP set a flag instead of ending the process. A SIGINT
/// after one of them ends it.
///
/// So does SIGCONT from Open MPI's mpirun, which sends it a second before SIGTERM, and SIGKILL after another second.
///
/// The handler writes a message to the standard error at the first signal: `ending` if mpirun is ending the job, otherwise
/// `stopping`. Either may be NULL, for none, and must stay where it is.
void st_catch_stop_signals(const char *stopping, const char *ending);

/// Makes the handler write nothing from now on.
void st_silence_stop_signals(void);

/// The signal that was caught, or 0.
int st_caught_stop_signal(void);

/// Makes SIGINT, SIGTERM and SIGHUP, where they would end the process, remove the file at `path` first.
/// Returns a number for `st_end_temporary`, or -1 where there are too many such files.
int st_begin_temporary(const char *path);

/// Leaves the file of that number alone again.
void st_end_temporary(int number);

/// Removes the files that `st_begin_temporary` was told of. For a process that ends at once.
void st_remove_temporaries(void);

/// Starts a process that waits for the end of this one, and then, where the launcher of this one has ended too and so removes
/// nothing any more, removes the folder and the files in the directory whose names contain `name`. Call before there are
/// threads.
void st_begin_sweeper(const char *folder, const char *directory, const char *name);

/// Ends that process, where there is one.
void st_end_sweeper(void);

/// Starts a process that kills the launcher of this one unless it ends by itself within so many seconds.
void st_end_launcher_after(int seconds);

/// Lowers the POSIX semaphore (`sem_t`), waiting up to so many seconds, whatever happens to the time of day. Returns whether it
/// has.
bool st_wait_for(void *semaphore, double seconds);

/// The number of processors that this process may run on, or -1 where the system does not say.
int st_allowed_processors(void);

/// Makes all threads allocate from one heap: a heap of its own reserves 64 MB of addresses or more for each. Call before
/// there are threads.
void st_share_heap(void);

/// Takes memory from the system for all pages of `count` bytes, whose values stay. Returns false where there is none for
/// shared pages: the first access to them would end in SIGBUS. Only one thread of a process may call it at a time.
bool st_populate(void *base, size_t count);

/// Has the processor fetch the cache line at `place`, which is read soon; does nothing where it is no valid address.
static inline void st_prefetch(const void *place) { __builtin_prefetch(place); }

#endif
