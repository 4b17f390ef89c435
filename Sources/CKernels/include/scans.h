#ifndef SEQTRAIN_SCANS_H
#define SEQTRAIN_SCANS_H

#include <stdint.h>

/// The time steps from each state that a scan keeps for its backward pass to the next: what lies between is computed
/// again, and stays in the first cache.
enum { ST_SELECTIVE_BLOCK = 16, ST_DIAGONAL_BLOCK = 64 };

/// What all scans know of one lane. The row of step k of an array is `row_step` k rows behind that of its first step, to
/// which its pointer points; where `row_step` is negative a scan goes back in time.
typedef struct {
  long steps, row_step, channels, states;
  /// Nonzero where the state is zero before the step. [steps]
  const uint8_t *resets;
  /// The states that enter each block of steps, `kept_step` floats from block to block.
  float *kept;
  long kept_step;
} st_scan;

/// A selective scan of E channels of N states each.
typedef struct {
  st_scan scan;
  /// Inputs v; logits of step sizes; gates, `gate_stride` floats from row to row; gated outputs. [., E]
  float *inputs, *logits, *gates, *outputs;
  long gate_stride;
  /// B and C, `matrix_stride` floats from row to row. [., N]
  float *b, *c;
  long matrix_stride;
  /// A log2(e), not above 0. [N, E]
  const float *decay;
  /// D [E]
  const float *skip;
} st_selective_scan;

/// A scan of C channels by diagonal systems of N conjugate pairs each.
typedef struct {
  st_scan scan;
  /// [., C]
  const float *inputs;
  /// What multiplies the state, the input, and for the output the state, real and imaginary parts: a, b, c. [6, N, C]
  const float *system;
  /// D [C]
  const float *skip;
} st_diagonal_scan;

#endif
