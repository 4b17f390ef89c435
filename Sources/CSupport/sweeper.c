#define _GNU_SOURCE
#include "CSupport.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
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

void st_begin_sweeper(const char *folder, const char *directory, const char *name) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_t launcher = getppid();
  sweeper = fork();
  if (sweeper != 0) {
    close(ends[0]);
    alive = ends[1];
    return;
  }
  // Out of reach of signals to the job, and of its output, whose end mpirun waits for.
  setsid();
  prctl(PR_SET_NAME, "seqtrain-sweep");
  dup2(ends[0], 0);
  close_range(1, ~0U, 0);
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
