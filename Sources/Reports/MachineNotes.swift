import Core
import Glibc
import Threads

/// What this machine can't do that a user may expect, a line each, for warnings at the start of a job.
package func machineNotes(for precision: Precision) -> [String] {
  var notes: [String] = []
  if let note = precision.emulationNote { notes.append(note) }
  let cores = Processors.online
  if let threads = getenv("OMP_NUM_THREADS").flatMap({ Int(String(cString: $0)) }), threads > cores {
    notes.append(
      "OMP_NUM_THREADS is \(threads), more than this machine's cores (\(cores)); "
        + "a rank computes in one thread all the same")
  }
  return notes
}
