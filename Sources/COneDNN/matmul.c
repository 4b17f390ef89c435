// Products by oneDNN, whose functions are found by name in the library where it is installed.

#include <dlfcn.h>
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#include "COneDNN.h"

/// The functions of oneDNN in use, without their prefix `dnnl_`.
#define EACH_FUNCTION(USE)                                                                             \
  USE(engine_create) USE(matmul_desc_init) USE(memory_create) USE(memory_desc_init_by_strides)         \
  USE(memory_desc_init_by_tag) USE(memory_destroy) USE(memory_set_data_handle) USE(post_ops_append_sum) \
  USE(post_ops_create) USE(post_ops_destroy) USE(primitive_attr_create) USE(primitive_attr_destroy)    \
  USE(primitive_attr_set_post_ops) USE(primitive_attr_set_scratchpad_mode) USE(primitive_create)       \
  USE(primitive_desc_create) USE(primitive_desc_destroy) USE(primitive_destroy) USE(primitive_execute) \
  USE(reorder_primitive_desc_create) USE(stream_create) USE(stream_destroy) USE(stream_wait)

static struct {
#define FIELD(name) __typeof__(dnnl_##name) *name;
  EACH_FUNCTION(FIELD)
  // These return what they are asked for, not a status.
  FIELD(memory_desc_get_size)
  FIELD(primitive_desc_query_md)
  /// NULL where oneDNN was built without OpenMP.
  void (*set_threads)(int);
} library;

static dnnl_engine_t engine;

/// Calls a function of oneDNN that returns a status.
#define CALL(name, ...) expect_success(library.name(__VA_ARGS__), "dnnl_" #name)

static void expect_success(dnnl_status_t status, const char *function) {
  if (status == dnnl_success) return;
  fprintf(stderr, "seqtrain: %s of oneDNN failed with status %d\n", function, (int)status);
  abort();
}

bool st_onednn_load(void) {
  void *handle = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!handle) return false;
#define FIND(name)                                        \
  library.name = dlsym(handle, "dnnl_" #name);            \
  if (!library.name) return false;
  EACH_FUNCTION(FIND)
  FIND(memory_desc_get_size)
  FIND(primitive_desc_query_md)
  library.set_threads = dlsym(handle, "omp_set_num_threads");
  CALL(engine_create, &engine, dnnl_cpu, 0);
  return true;
}

/// A primitive and its arguments, whose forms are fixed and whose places are not.
typedef struct {
  dnnl_primitive_t primitive;
  int count;
  dnnl_exec_arg_t arguments[4];
  void *places[4];
} operation;

/// Makes the operation of a description, which it destroys. Its arguments are added after that.
static operation make_operation(dnnl_primitive_desc_t description) {
  operation made = {0};
  CALL(primitive_create, &made.primitive, description);
  CALL(primitive_desc_destroy, description);
  return made;
}

static void add_argument(operation *it, int argument, const dnnl_memory_desc_t *form) {
  dnnl_exec_arg_t *added = &it->arguments[it->count++];
  added->arg = argument;
  CALL(memory_create, &added->memory, form, engine, DNNL_MEMORY_NONE);
}

static void execute(operation *it, dnnl_stream_t stream, void *const places[]) {
  for (int i = 0; i < it->count; i++) {
    // oneDNN clears the padding of a form at each move.
    if (it->places[i] == places[i]) continue;
    CALL(memory_set_data_handle, it->arguments[i].memory, places[i]);
    it->places[i] = places[i];
  }
  CALL(primitive_execute, it->primitive, stream, it->count, it->arguments);
  CALL(stream_wait, stream);
}

static void destroy_operation(operation *it) {
  if (!it->primitive) return;
  for (int i = 0; i < it->count; i++) CALL(memory_destroy, it->arguments[i].memory);
  CALL(primitive_destroy, it->primitive);
}

struct st_matmul {
  long n, k;
  dnnl_stream_t stream;
  /// The form of B.
  dnnl_memory_desc_t b;
  size_t scratch_size;
  operation multiply;
  /// Packs W[K, N], and W[N, K]; each is made when it is first used.
  operation pack[2];
};

/// The form of a matrix whose element (i, j) is the (i * row_step + j * column_step)-th.
static dnnl_memory_desc_t matrix(dnnl_data_type_t type, long rows, long columns, long row_step,
                                 long column_step) {
  dnnl_memory_desc_t form;
  CALL(memory_desc_init_by_strides, &form, 2, (dnnl_dims_t){rows, columns}, type,
       (dnnl_dims_t){row_step, column_step});
  return form;
}

/// With scratch memory of the caller's; adding to the result with `accumulate`.
static dnnl_primitive_attr_t make_attributes(bool accumulate) {
  dnnl_primitive_attr_t attributes;
  CALL(primitive_attr_create, &attributes);
  CALL(primitive_attr_set_scratchpad_mode, attributes, dnnl_scratchpad_mode_user);
  if (accumulate) {
    dnnl_post_ops_t operations;
    CALL(post_ops_create, &operations);
    CALL(post_ops_append_sum, operations, 1);
    CALL(primitive_attr_set_post_ops, attributes, operations);
    CALL(post_ops_destroy, operations);
  }
  return attributes;
}

st_matmul *st_matmul_create(long m, long n, long k, bool accumulate, st_matmul_layout layout) {
  if (library.set_threads) library.set_threads(1);
  bool packs = layout == ST_PACKED;
  dnnl_memory_desc_t a = matrix(dnnl_bf16, m, k, packs ? k : 1, packs ? 1 : m);
  dnnl_memory_desc_t b = matrix(dnnl_bf16, k, n, n, 1), c = matrix(dnnl_f32, m, n, n, 1);
  if (packs) CALL(memory_desc_init_by_tag, &b, 2, (dnnl_dims_t){k, n}, dnnl_bf16, dnnl_format_tag_any);

  dnnl_matmul_desc_t what;
  CALL(matmul_desc_init, &what, &a, &b, NULL, &c);
  dnnl_primitive_attr_t attributes = make_attributes(accumulate);
  dnnl_primitive_desc_t description;
  CALL(primitive_desc_create, &description, &what, attributes, engine, NULL);
  CALL(primitive_attr_destroy, attributes);
  // The queried forms belong to the description.
  b = *library.primitive_desc_query_md(description, dnnl_query_weights_md, 0);
  dnnl_memory_desc_t scratch = *library.primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);

  st_matmul *product = calloc(1, sizeof *product);
  if (!product) abort();
  product->n = n;
  product->k = k;
  product->b = b;
  product->scratch_size = library.memory_desc_get_size(&scratch);
  CALL(stream_create, &product->stream, engine, dnnl_stream_default_flags);
  product->multiply = make_operation(description);
  add_argument(&product->multiply, DNNL_ARG_SRC, &a);
  add_argument(&product->multiply, DNNL_ARG_WEIGHTS, &b);
  add_argument(&product->multiply, DNNL_ARG_DST, &c);
  add_argument(&product->multiply, DNNL_ARG_SCRATCHPAD, &scratch);
  return product;
}

void st_matmul_destroy(st_matmul *product) {
  destroy_operation(&product->multiply);
  destroy_operation(&product->pack[0]);
  destroy_operation(&product->pack[1]);
  CALL(stream_destroy, product->stream);
  free(product);
}

size_t st_matmul_packed_count(const st_matmul *product) {
  return (library.memory_desc_get_size(&product->b) + 1) / sizeof(uint16_t);
}

size_t st_matmul_scratch_size(const st_matmul *product) { return product->scratch_size; }

static operation make_packing(const st_matmul *product, bool transposed) {
  long row_step = transposed ? 1 : product->n, column_step = transposed ? product->k : 1;
  dnnl_memory_desc_t w = matrix(dnnl_bf16, product->k, product->n, row_step, column_step);
  dnnl_primitive_desc_t description;
  CALL(reorder_primitive_desc_create, &description, &w, engine, &product->b, engine, NULL);
  operation packing = make_operation(description);
  add_argument(&packing, DNNL_ARG_FROM, &w);
  add_argument(&packing, DNNL_ARG_TO, &product->b);
  return packing;
}

void st_matmul_pack(st_matmul *product, uint16_t *w, bool transposed, uint16_t *packed) {
  operation *packing = &product->pack[transposed];
  if (!packing->primitive) *packing = make_packing(product, transposed);
  execute(packing, product->stream, (void *[]){w, packed});
}

void st_matmul_multiply(st_matmul *product, uint16_t *a, uint16_t *b, float *c, void *scratch) {
  execute(&product->multiply, product->stream, (void *[]){a, b, c, scratch});
}
