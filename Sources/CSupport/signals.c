#include "CSupport.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t caught;

static void note(int signal) { caught = signal; }

void st_catch_stop_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  // Schedulers send SIGTERM twice, to the launcher and to each process, so only an impatient person's second
  // SIGINT may end the process at once.
  sigaction(SIGTERM, &action, NULL);
  action.sa_flags |= SA_RESETHAND;
  sigaction(SIGINT, &action, NULL);
}

int st_caught_stop_signal(void) { return caught; }
