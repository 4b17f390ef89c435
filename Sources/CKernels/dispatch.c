// The kernels' public functions: each calls the one of the instruction set in use.

#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

extern const st_kernels st_generic_kernels, st_avx2_kernels, st_avx512_kernels;

#if defined(__x86_64__)

#include <cpuid.h>

static bool has_avx512(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static const st_kernels *avx512_kernels(void) { return has_avx512() ? &st_avx512_kernels : NULL; }
static const st_kernels *avx2_kernels(void) { return has_avx2() ? &st_avx2_kernels : NULL; }

static bool has_bfloat16(void) {
  unsigned a, b, c, d;
  bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
  bool avx512 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
  return amx || avx512;
}

#else

static const st_kernels *avx512_kernels(void) { return NULL; }
static const st_kernels *avx2_kernels(void) { return NULL; }
static bool has_bfloat16(void) { return false; }

#endif

const st_kernels *st_kernels_of(const char *instruction_set) {
  if (strcmp(instruction_set, "avx512") == 0) return avx512_kernels();
  if (strcmp(instruction_set, "avx2") == 0) return avx2_kernels();
  return strcmp(instruction_set, "generic") == 0 ? &st_generic_kernels : NULL;
}

// Chosen once, before the program begins; never changed after that.
static const st_kernels *in_use = &st_generic_kernels;
static const char *name_in_use = "generic";

__attribute__((constructor)) static void choose(void) {
  static const char *const best_first[] = {"avx512", "avx2", "generic"};
  const char *wanted = getenv("SEQTRAIN_ISA");
  int first = 0;
  for (int i = 0; i < 3; i++)
    if (wanted && strcmp(wanted, best_first[i]) == 0) first = i;
  for (int i = first; i < 3; i++) {
    const st_kernels *kernels = st_kernels_of(best_first[i]);
    if (!kernels) continue;
    in_use = kernels;
    name_in_use = best_first[i];
    return;
  }
}

const char *st_instruction_set(void) { return name_in_use; }

bool st_has_bfloat16(void) { return in_use == avx512_kernels() && has_bfloat16(); }

#define ST_KERNEL(result, name, parameters, arguments) \
  result st_##name parameters { return in_use->name arguments; }
#include "kernels/all.h"
