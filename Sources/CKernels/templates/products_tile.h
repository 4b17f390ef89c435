// The register tile: the innermost loop of every matrix product.

enum {
#if ST_AVX512
  TILE_ROWS = 8,  // 24 of the 32 registers hold sums
  TILE_VECTORS = 3,
  TILE_UNROLL = 2,
#elif ST_AVX2
  TILE_ROWS = 6,  // a vector is two registers: 12 of 16 hold sums
  TILE_VECTORS = 1,
  TILE_UNROLL = 4,
#elif defined(__aarch64__)
  TILE_ROWS = 6,  // a vector is four registers: 24 of 32 hold sums
  TILE_VECTORS = 1,
  TILE_UNROLL = 4,
#else
  TILE_ROWS = 3,  // a vector is four registers: 12 of 16 hold sums
  TILE_VECTORS = 1,
  TILE_UNROLL = 4,
#endif
  PANEL = TILE_VECTORS * WIDTH,
};

// The compiler likes to load the factors of several steps before the first is used, and then has no registers left for
// the sums: twice the time. A sum that is needed, as far as it can tell, after each addition stays where it is.
#if ST_AVX512
#define KEEP(sum) __asm__ volatile("" : "+v"(sum))
#else
#define KEEP(sum) ((void)0)
#endif

/// What a tile computes: C[rows, columns] = or += A[rows, depth] B[depth, columns].
typedef struct {
  long depth;
  const float *a;
  long row_step;  // from one row of A to the next, where A is read as it stands
  const float *b;
  float *c;
  long ldc;
  part last;          // columns in the last vector of a row of C
  bool add;           // to what C holds already
  bool c_is_far;      // C is larger than the cache: fetch the tile's part of it beforehand
  const float *next;  // what of B will be needed next: fetched meanwhile, `next_step` floats a row of B
  long next_step;
} tile_job;

/// A tile of `rows` x `vectors` vectors. Element (i, p) of A stands at a[i row_step + p depth_step], row p of
/// B at b + p vectors WIDTH. Every sum has one accumulator and grows in ascending p.
INLINE void tile(int rows, int vectors, const tile_job *job, long row_step, long depth_step) {
  const float *a = job->a, *b = job->b, *next = job->next;
  long depth = job->depth, next_step = job->next_step;
  floats sum[TILE_ROWS][TILE_VECTORS];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
      sum[i][j] = 0;
      if (job->c_is_far) __builtin_prefetch(job->c + i * job->ldc + j * WIDTH, 1, 3);
    }

  // Few rows use B as fast as it arrives: fetching it earlier gains nothing.
  enum { STEPS_AHEAD = 4 };
  bool fetch = rows > TILE_ROWS / 2;
#pragma clang loop unroll_count(TILE_UNROLL)
  for (long p = 0; p < depth; p++) {
    if (fetch) {
      __builtin_prefetch(next, 0, 2);
      next += next_step;
    }
    floats row[TILE_VECTORS];
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
      if (fetch) __builtin_prefetch(b + ((p + STEPS_AHEAD) * vectors + j) * WIDTH, 0, 3);
      row[j] = load(b + (p * vectors + j) * WIDTH);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      floats factor = a[i * row_step + p * depth_step];
#pragma clang loop unroll(full)
      for (int j = 0; j < vectors; j++) {
        sum[i][j] += factor * row[j];
        KEEP(sum[i][j]);
      }
    }
  }

#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
      float *at = job->c + i * job->ldc + j * WIDTH;
      part n = j == vectors - 1 ? job->last : part_of(WIDTH);
      store_part(at, job->add ? load_part(at, n) + sum[i][j] : sum[i][j], n);
    }
}

// A function for each size of tile, with A read by rows, as it stands, by packed columns, WIDTH at a time, or by columns as it
// stands.

typedef void tile_function(const tile_job *);

#define TILE(rows, vectors)                                                                               \
  static void row_tile_##rows##_##vectors(const tile_job *job) {                                          \
    tile(rows, vectors, job, job->row_step, 1);                                                           \
  }                                                                                                       \
  static void column_tile_##rows##_##vectors(const tile_job *job) { tile(rows, vectors, job, 1, WIDTH); } \
  static void standing_tile_##rows##_##vectors(const tile_job *job) {                                     \
    tile(rows, vectors, job, 1, job->row_step);                                                           \
  }

#if ST_AVX512
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define ENTRIES(kind, rows) {kind##_tile_##rows##_1, kind##_tile_##rows##_2, kind##_tile_##rows##_3}
#else
#define TILES(rows) TILE(rows, 1)
#define ENTRIES(kind, rows) {kind##_tile_##rows##_1}
#endif

TILES(1)
TILES(2)
TILES(3)
#define UP_TO_3(kind) ENTRIES(kind, 1), ENTRIES(kind, 2), ENTRIES(kind, 3)
#if ST_AVX512 || ST_AVX2 || defined(__aarch64__)
TILES(4)
TILES(5)
TILES(6)
#define UP_TO_6(kind) UP_TO_3(kind), ENTRIES(kind, 4), ENTRIES(kind, 5), ENTRIES(kind, 6)
#endif
#if ST_AVX512
TILES(7)
TILES(8)
#define ALL_TILES(kind) {UP_TO_6(kind), ENTRIES(kind, 7), ENTRIES(kind, 8)}
#elif ST_AVX2 || defined(__aarch64__)
#define ALL_TILES(kind) {UP_TO_6(kind)}
#else
#define ALL_TILES(kind) {UP_TO_3(kind)}
#endif

static tile_function *const row_tiles[TILE_ROWS][TILE_VECTORS] = ALL_TILES(row);
static tile_function *const column_tiles[TILE_ROWS][TILE_VECTORS] = ALL_TILES(column);
static tile_function *const standing_tiles[TILE_ROWS][TILE_VECTORS] = ALL_TILES(standing);
