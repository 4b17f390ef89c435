/// How a process ends; `mpirun` passes it on. Wrong arguments end with 64, as the argument parser has it.
package enum ExitStatus: Int32, Sendable {
  /// Everything asked for was done.
  case finished = 0
  /// Something failed, and a message says what.
  case failed = 1
  /// A signal asked to stop, and a checkpoint was written to go on from.
  case stopped = 3
}
