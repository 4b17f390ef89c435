#ifndef SEQTRAIN_CONEDNN_H
#define SEQTRAIN_CONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// oneDNN's matrix products of bfloat16 factors with float32 sums and results.
///
/// The library is loaded when it is asked for: that takes 5 ms, and most runs do without it. No function
/// returns an error: those of oneDNN fail only where their arguments are wrong or memory is at an end, which
/// ends the program with the name of the function.

/// Loads the library and returns whether there is one. Call once, before everything else here.
bool st_onednn_load(void);

/// A product of one shape: C[M, N] = A[M, K] B[K, N], or C += A B.
typedef struct st_matmul st_matmul;

/// How the factors of a product lie in memory, without gaps.
typedef enum {
  /// A by rows; B packed by `st_matmul_pack`.
  ST_PACKED,
  /// A by columns, B by rows: as they are for a sum over the rows of two matrices.
  ST_SUM_OVER_ROWS,
} st_matmul_layout;

/// Prepares a product for the calling thread, the one that computes it: oneDNN starts no other.
st_matmul *st_matmul_create(long m, long n, long k, bool accumulate, st_matmul_layout layout);
void st_matmul_destroy(st_matmul *product);

/// Values of the packed form of B, padding included.
size_t st_matmul_packed_count(const st_matmul *product);

/// Bytes of scratch memory that `st_matmul_multiply` needs.
size_t st_matmul_scratch_size(const st_matmul *product);

/// Packs W[K, N], or W[N, K] with `transposed`, that lies by rows.
void st_matmul_pack(st_matmul *product, uint16_t *w, bool transposed, uint16_t *packed);

/// Computes C, which lies by rows.
void st_matmul_multiply(st_matmul *product, uint16_t *a, uint16_t *b, float *c, void *scratch);

#endif
