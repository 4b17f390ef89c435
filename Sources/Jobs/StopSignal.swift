import CSupport
import Glibc
import Reports

/// A request to stop with a checkpoint after the current step: SIGUSR1, SIGTERM, SIGINT or SIGHUP.
///
/// The handler sets a flag, which the loop reads at the end of a step, where all ranks agree on it.
///
/// Open MPI's `mpirun` answers SIGTERM, SIGINT and SIGHUP alike: it sends its ranks SIGCONT at once, SIGTERM after a
/// second and SIGKILL after another (`odls_base_sigkill_timeout`; a longer one delays the end of every failed job). The
/// ranks take its SIGCONT for the request, and so have two seconds. What they write reaches the terminal only when mpirun
/// has killed them.
package enum StopSignal {
  /// Begins to catch the signals, which end the process until then.
  ///
  /// - Parameter speaks: Whether this process tells the user at once what a signal has begun.
  package static func install(speaks: Bool) {
    guard speaks else { return st_catch_stop_signals(nil, nil) }
    // Below the progress line, if there is one.
    let start = Console().columns == nil ? "seqtrain: " : "\nseqtrain: "
    st_catch_stop_signals(
      strdup("\(start)stopping after this step, with a checkpoint; Ctrl-C ends it at once\n"),
      strdup(
        "\(start)mpirun is ending or continuing the job: stopping after this step, with a checkpoint if there is time (mpirun kills its "
          + "ranks 2 seconds after Ctrl-C or SIGTERM); SIGUSR1 to mpirun, or Ctrl-C in launch/train, gives all the "
          + "time it takes\n"))
  }

  /// Stops all messages about signals.
  package static func silence() { st_silence_stop_signals() }

  /// The name of the signal received, or nil.
  package static var received: String? {
    switch st_caught_stop_signal() {
    case 0: nil
    case SIGUSR1: "SIGUSR1"
    case SIGTERM: "SIGTERM"
    case SIGHUP: "SIGHUP"
    case SIGCONT: "a signal to mpirun"
    default: "SIGINT"
    }
  }
}
