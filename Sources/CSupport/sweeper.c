#define _GNU_SOURCE
#include "CSupport.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t sweeper = -1;
static int alive = -1;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status, (void)type, (void)place;
  remove(path);
  return 0;
}

static void remove_named(const char *directory, const char *name) {
  DIR *entries = opendir(directory);
  if (!entries) return;
  for (struct dirent *entry; (entry = readdir(entries));) {
    if (strstr(entry->d_name, name)) unlinkat(dirfd(entries), entry->d_name, 0);
  }
  closedir(entries);
}

// Whether a process still runs: one that has ended, but is not yet forgotten, has no program any more.
static int runs(pid_t process) {
  char path[64], program[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%d/exe", (int)process);
  return readlink(path, program, sizeof program) >= 0 || errno != ENOENT;
}

// Begins a process out of reach of signals to the job, and of its output, whose end mpirun waits for; it keeps the file
// `kept`, as 0. Returns what fork does.
static pid_t begin_apart(const char *name, int kept) {
  pid_t process = fork();
  if (process != 0) return process;
  setsid();
  prctl(PR_SET_NAME, name);
  dup2(kept, 0);
  close_range(1, ~0U, 0);
  return 0;
}

void st_begin_sweeper(const char *folder, const char *directory, const char *name) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_t launcher = getppid();
  sweeper = begin_apart("seqtrain-sweep", ends[0]);
  if (sweeper != 0) {
    close(ends[0]);
    alive = ends[1];
    return;
  }
  char byte;
  while (read(0, &byte, 1) < 0 && errno == EINTR) {
  }
  if (!runs(launcher)) {
    remove_named(directory, name);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  }
  _exit(0);
}

void st_end_sweeper(void) {
  if (sweeper <= 0) return;
  close(alive);
  while (waitpid(sweeper, NULL, 0) < 0 && errno == EINTR) {
  }
  sweeper = -1;
}

void st_end_launcher_after(int seconds) {
  pid_t launcher = getppid();
  if (begin_apart("seqtrain-end", 0) != 0) return;
  for (int tenth = 0; tenth < 10 * seconds && runs(launcher); tenth++) usleep(100000);
  if (runs(launcher)) kill(launcher, SIGKILL);
  _exit(0);
}
