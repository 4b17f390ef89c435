#include "CSupport.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static pid_t launcher;
static const char *volatile stopping_message;
static const char *volatile ending_message;

static void announce(const char *message) {
  if (message && write(STDERR_FILENO, message, strlen(message)) < 0) return;
}

static void note(int number, siginfo_t *info, void *context) {
  (void)context;
  // Others continue a process that was suspended.
  if (number == SIGCONT && (launcher == 0 || info->si_pid != launcher)) return;
  if (caught) {
    // Schedulers and mpirun send several signals, so only an impatient person's SIGINT ends the process at once.
    if (number == SIGINT) {
      signal(SIGINT, SIG_DFL);
      raise(SIGINT);
    }
    return;
  }
  caught = number;
  int error = errno;
  announce(number == SIGCONT ? ending_message : stopping_message);
  errno = error;
}

void st_catch_stop_signals(const char *stopping, const char *ending) {
  stopping_message = stopping;
  ending_message = ending;
  // Only Open MPI's mpirun and its daemons set the first. The second has them pass on who suspends and continues a job.
  if (getenv("OMPI_MCA_orte_launch") && !getenv("OMPI_MCA_orte_forward_job_control")) launcher = getppid();

  struct sigaction action, former;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = note;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGCONT, &action, NULL);
  // nohup has it ignored.
  if (sigaction(SIGHUP, NULL, &former) == 0 && former.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL);
}

void st_silence_stop_signals(void) {
  stopping_message = NULL;
  ending_message = NULL;
}

int st_caught_stop_signal(void) { return caught; }
