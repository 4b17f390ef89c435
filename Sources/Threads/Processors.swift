import CSupport
import Glibc

/// The processors of this host.
package enum Processors {
  /// The number of processors that are switched on.
  package static var online: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

  /// The number of them that this process may run on.
  package static var allowed: Int {
    let count = Int(st_allowed_processors())
    return count > 0 ? count : online
  }
}
