#ifndef SEQTRAIN_CHDF5_SHIM_H
#define SEQTRAIN_CHDF5_SHIM_H

#include <hdf5.h>

// What Swift cannot see by itself: macros over expressions, globals that the library fills in when it is opened, and
// functions whose signature depends on the library's version. The globals are read without the library's own
// "open at first use"; `H5open` has been called before.

static inline hid_t st_type_float(void) { return H5T_NATIVE_FLOAT_g; }
static inline hid_t st_type_double(void) { return H5T_NATIVE_DOUBLE_g; }
static inline hid_t st_type_uint8(void) { return H5T_NATIVE_UINT8_g; }
static inline hid_t st_type_int8(void) { return H5T_NATIVE_INT8_g; }
static inline hid_t st_type_int16(void) { return H5T_NATIVE_INT16_g; }
static inline hid_t st_type_uint16(void) { return H5T_NATIVE_UINT16_g; }
static inline hid_t st_type_int32(void) { return H5T_NATIVE_INT32_g; }
static inline hid_t st_type_uint32(void) { return H5T_NATIVE_UINT32_g; }
static inline hid_t st_type_int64(void) { return H5T_NATIVE_INT64_g; }
static inline hid_t st_type_uint64(void) { return H5T_NATIVE_UINT64_g; }
static inline hid_t st_type_string(void) { return H5T_C_S1_g; }

static inline hid_t st_class_file_create(void) { return H5P_CLS_FILE_CREATE_ID_g; }
static inline hid_t st_class_file_access(void) { return H5P_CLS_FILE_ACCESS_ID_g; }
static inline hid_t st_class_group_create(void) { return H5P_CLS_GROUP_CREATE_ID_g; }
static inline hid_t st_class_dataset_create(void) { return H5P_CLS_DATASET_CREATE_ID_g; }
static inline hid_t st_class_dataset_transfer(void) { return H5P_CLS_DATASET_XFER_ID_g; }
static inline hid_t st_class_link_create(void) { return H5P_CLS_LINK_CREATE_ID_g; }

static inline unsigned st_read_only(void) { return 0x0000u; }       // H5F_ACC_RDONLY
static inline unsigned st_read_write(void) { return 0x0001u; }      // H5F_ACC_RDWR
static inline unsigned st_create_exclusively(void) { return 0x0004u; }  // H5F_ACC_EXCL
static inline hsize_t st_unlimited(void) { return H5S_UNLIMITED; }

/// 1 if the link is a hard one, 0 if it is of another kind, negative on failure.
static inline htri_t st_link_is_hard(hid_t location, const char *name) {
  H5L_info_t info;
  herr_t status = H5Lget_info(location, name, &info, H5P_DEFAULT);
  return status < 0 ? status : info.type == H5L_TYPE_HARD;
}

/// What an iteration calls for each name. `kind`: 0 a group, 1 a dataset, -1 anything else or not looked at.
typedef void (*st_visitor)(const char *name, int kind, void *context);

typedef struct {
  st_visitor visit;
  void *context;
} st_visit;

static inline herr_t st_each_link_callback(hid_t group, const char *name, const H5L_info_t *info, void *context) {
  (void)group;
  (void)info;
  st_visit *visit = (st_visit *)context;
  visit->visit(name, -1, visit->context);
  return 0;
}

/// Calls `visit` for each link of a group, by name in ascending order.
static inline herr_t st_each_link(hid_t group, st_visitor visitor, void *context) {
  st_visit visit = {visitor, context};
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, st_each_link_callback, &visit);
}

#if H5_VERSION_GE(1, 12, 0)
typedef H5O_info2_t st_object_info;
#else
typedef H5O_info_t st_object_info;
#endif

static inline herr_t st_each_object_callback(hid_t object, const char *name, const st_object_info *info,
                                             void *context) {
  (void)object;
  st_visit *visit = (st_visit *)context;
  visit->visit(name, info->type == H5O_TYPE_GROUP ? 0 : info->type == H5O_TYPE_DATASET ? 1 : -1, visit->context);
  return 0;
}

/// Calls `visit` once for each object that hard links lead to from `object`, itself included (as "."), by name.
static inline herr_t st_each_object(hid_t object, st_visitor visitor, void *context) {
  st_visit visit = {visitor, context};
#if H5_VERSION_GE(1, 12, 0)
  return H5Ovisit3(object, H5_INDEX_NAME, H5_ITER_INC, st_each_object_callback, &visit, H5O_INFO_BASIC);
#else
  return H5Ovisit(object, H5_INDEX_NAME, H5_ITER_INC, st_each_object_callback, &visit);
#endif
}

#endif
