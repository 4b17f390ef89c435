import Glibc
import TestSupport
import Testing

/// A library to be loaded before all others, whose calls to the system fail on request.
struct FaultyCalls {
  /// What a job needs in its environment.
  let environment: [String: String?]
  private let place: Workspace

  /// Whether it can be built: Swift's own toolchain has Clang.
  static let canBuild = (try? runProcess("clang", ["--version"]))?.status == 0

  /// Builds it in a test's directory.
  ///
  /// - Parameter names: What is in the names of the files that `break` makes unreadable and unwritable.
  init(_ place: Workspace, filesNamed names: String = "nothing") throws {
    self.place = place
    try place.write("faulty.c", Self.source)
    let result = try runProcess(
      "clang", ["-shared", "-fPIC", "-O1", "-o", "faulty.so", "faulty.c"], directory: place.path)
    guard result.status == 0 else { throw SystemError("clang: \(result.errors)", code: 0) }
    environment = [
      "LD_PRELOAD": place("faulty.so"), "FAULTY_NAMES": names, "FAULTY_WHILE": place("broken"),
      "CLOCK_BACK_WHILE": place("back"),
    ]
  }

  /// Has the files fail with EIO from now on.
  func breakFiles() throws { try place.write("broken", "") }

  /// Has them work again.
  func mendFiles() { unlink(place("broken")) }

  /// Sets the time of day back by an hour.
  func setClockBack() throws { try place.write("back", "") }

  private static let source = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>

    static int is_there(const char *variable) {
      const char *path = getenv(variable);
      return path && access(path, F_OK) == 0;
    }

    static int fails(int file) {
      char link[64], path[4096];
      snprintf(link, sizeof link, "/proc/self/fd/%d", file);
      int saved = errno;
      ssize_t count = readlink(link, path, sizeof path - 1);
      errno = saved;
      if (count < 0) return 0;
      path[count] = 0;
      if (!strstr(path, getenv("FAULTY_NAMES")) || !is_there("FAULTY_WHILE")) return errno = saved, 0;
      errno = EIO;
      return 1;
    }

    ssize_t write(int file, const void *bytes, size_t count) {
      return fails(file) ? -1 : syscall(SYS_write, file, bytes, count);
    }
    ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
      return fails(file) ? -1 : syscall(SYS_pwrite64, file, bytes, count, offset);
    }
    ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
      return fails(file) ? -1 : syscall(SYS_pwrite64, file, bytes, count, offset);
    }
    ssize_t read(int file, void *bytes, size_t count) {
      return fails(file) ? -1 : syscall(SYS_read, file, bytes, count);
    }
    ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
      return fails(file) ? -1 : syscall(SYS_pread64, file, bytes, count, offset);
    }
    ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) {
      return fails(file) ? -1 : syscall(SYS_pread64, file, bytes, count, offset);
    }
    int fsync(int file) { return fails(file) ? -1 : syscall(SYS_fsync, file); }

    int clock_gettime(clockid_t clock, struct timespec *time) {
      int result = syscall(SYS_clock_gettime, clock, time);
      if (clock == CLOCK_REALTIME && is_there("CLOCK_BACK_WHILE")) time->tv_sec -= 3600;
      return result;
    }
    time_t time(time_t *place) {
      struct timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      if (place) *place = now.tv_sec;
      return now.tv_sec;
    }
    int gettimeofday(struct timeval *place, void *zone) {
      struct timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      place->tv_sec = now.tv_sec;
      place->tv_usec = now.tv_nsec / 1000;
      return 0;
    }
    """#
}
