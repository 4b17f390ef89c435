#include "CSupport.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static _Thread_local sigjmp_buf *refusal;

static void refuse(int number) {
  if (refusal) siglongjmp(*refusal, 1);
  // Not a page of ours: the access is repeated, and ends the process.
  signal(number, SIG_DFL);
}

bool st_populate(void *base, size_t count) {
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_handler = refuse;
  if (sigaction(SIGBUS, &action, &before) != 0) return false;
  sigjmp_buf place;
  refusal = &place;
  // MADV_POPULATE_WRITE would do, but is missing before Linux 5.14.
  const bool populated = sigsetjmp(place, 1) == 0;
  if (populated) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    volatile char *bytes = base;
    for (size_t i = 0; i < count; i += page) bytes[i] = bytes[i];
    if (count > 0) bytes[count - 1] = bytes[count - 1];
  }
  refusal = NULL;
  sigaction(SIGBUS, &before, NULL);
  return populated;
}
