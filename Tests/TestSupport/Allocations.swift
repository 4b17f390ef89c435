import CAllocationCounter

/// The number of allocations that this thread makes in `body`, whether Swift's, C's or a library's.
package func countAllocations(_ body: () throws -> Void) rethrows -> Int {
  let before = st_thread_allocations()
  try body()
  return st_thread_allocations() - before
}

/// The bytes that this thread allocates in `body`, whether it frees them or not.
package func countAllocatedBytes(_ body: () throws -> Void) rethrows -> Int {
  let before = st_thread_allocated_bytes()
  try body()
  return Int(st_thread_allocated_bytes() - before)
}
