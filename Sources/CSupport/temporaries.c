#include "CSupport.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { FREE, TAKEN, NAMED };

// A file that is not yet whole, as a signal's handler can get at it: no lock, no memory that may be freed.
typedef struct {
  _Atomic int state;
  char path[PATH_MAX];
} temporary;

static temporary temporaries[16];

void st_remove_temporaries(void) {
  for (size_t i = 0; i < sizeof temporaries / sizeof *temporaries; i++) {
    if (atomic_load(&temporaries[i].state) == NAMED) unlink(temporaries[i].path);
  }
}

static void remove_all(int signal) {
  st_remove_temporaries();
  // The default action is back in place (SA_RESETHAND), and waits for the handler to return.
  raise(signal);
}

static void catch_ends(void) {
  static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    struct sigaction action;
    // A signal that is ignored, or has a handler already, is left alone.
    if (sigaction(ends[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = remove_all;
    action.sa_flags = SA_RESETHAND;
    sigaction(ends[i], &action, NULL);
  }
}

int st_begin_temporary(const char *path) {
  if (strlen(path) >= PATH_MAX) return -1;
  catch_ends();
  for (int i = 0; i < (int)(sizeof temporaries / sizeof *temporaries); i++) {
    int expected = FREE;
    if (!atomic_compare_exchange_strong(&temporaries[i].state, &expected, TAKEN)) continue;
    strcpy(temporaries[i].path, path);
    atomic_store(&temporaries[i].state, NAMED);
    return i;
  }
  return -1;
}

void st_end_temporary(int number) {
  if (number >= 0) atomic_store(&temporaries[number].state, FREE);
}
