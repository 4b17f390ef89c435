#define _GNU_SOURCE
#include "CSupport.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

bool st_wait_for(void *semaphore, double seconds) {
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  long nanoseconds = deadline.tv_nsec + (long)(seconds * 1e9);
  deadline.tv_sec += nanoseconds / 1000000000;
  deadline.tv_nsec = nanoseconds % 1000000000;
  while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}
