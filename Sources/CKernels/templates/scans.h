// What the scans have in common: a lane is computed a block of steps at a time, and in a block one vector of
// channels after another, of which some states at a time stay in registers for all of its steps.

INLINE bool is_reset(const st_scan *scan, long step) { return scan->resets[step * scan->row_step] != 0; }

/// The steps of the block that begins at step `first`, of blocks of `block` steps.
INLINE long block_steps(const st_scan *scan, long first, long block) {
  return scan->steps - first < block ? scan->steps - first : block;
}

/// The first step of the last block.
INLINE long last_block(const st_scan *scan, long block) { return (scan->steps - 1) / block * block; }

/// The states that enter the block that begins at step `first`.
INLINE float *kept_states(const st_scan *scan, long first, long block) {
  return scan->kept + first / block * scan->kept_step;
}

/// The vectors of `group` states, whose rows are C floats apart.
INLINE void load_states(const float *states, long channels, const int group, part left, floats *values) {
#pragma clang loop unroll(full)
  for (int i = 0; i < group; i++) values[i] = load_part(states + i * channels, left);
}

INLINE void store_states(float *states, long channels, const int group, part left, const floats *values) {
#pragma clang loop unroll(full)
  for (int i = 0; i < group; i++) store_part(states + i * channels, values[i], left);
}
