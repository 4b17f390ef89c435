// Takes the place of the C library's functions that allocate, which the whole process then calls, and passes every call on to
// them under their other names. What they return is theirs, so `free` remains as it is.

#include "allocation_counter.h"

#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

// The model that needs no allocation itself.
static _Thread_local long allocations __attribute__((tls_model("initial-exec")));

static _Thread_local size_t bytes __attribute__((tls_model("initial-exec")));

long st_thread_allocations(void) { return allocations; }

size_t st_thread_allocated_bytes(void) { return bytes; }

// A sanitizer takes their place itself: nothing is counted then, and the tests that count are left out (launch/sanitize).
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

void *malloc(size_t size) {
  allocations++;
  bytes += size;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  allocations++;
  bytes += count * size;
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  allocations++;
  bytes += size;
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  allocations++;
  bytes += size;
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment == 0 || alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  void *memory = memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *result = memory;
  return 0;
}

#endif
