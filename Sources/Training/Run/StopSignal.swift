import CSupport
import Glibc

/// The request to write a checkpoint at the next step boundary and stop: SIGUSR1, SIGTERM or SIGINT.
///
/// A handler may only set a flag; the loop asks for it at the end of a step, where all ranks agree on it.
public enum StopSignal {
  /// Begins to catch the signals. Until then they end the process.
  public static func install() { st_catch_stop_signals() }

  /// The name of the signal that has come, or nil.
  public static var received: String? {
    switch st_caught_stop_signal() {
    case 0: nil
    case SIGUSR1: "SIGUSR1"
    case SIGTERM: "SIGTERM"
    default: "SIGINT"
    }
  }
}
