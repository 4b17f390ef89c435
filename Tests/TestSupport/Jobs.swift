import Glibc

/// The path of a program that the package builds: it lies beside the running tests.
package func builtProgram(_ name: String) throws -> String {
  guard let resolved = realpath("/proc/self/exe", nil) else { throw SystemError("realpath /proc/self/exe") }
  defer { free(resolved) }
  let executable = String(cString: resolved)
  guard let slash = executable.lastIndex(of: "/") else { throw SystemError("\(executable)", code: ENOENT) }
  let path = executable[..<slash] + "/" + name
  guard access(String(path), X_OK) == 0 else { throw SystemError("find \(path)") }
  return String(path)
}

/// Starts a built program on so many ranks by `mpirun`: as root too, with more ranks than cores, and in containers.
///
/// - Parameters:
///   - program: the name of a program of the package.
///   - environment: variables set for `mpirun` and the ranks; nil unsets one.
///   - directoryOfRank: whether each rank runs in the directory below that is named by its number.
package func startJob(
  ranks: Int, _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
  directory: String? = nil, directoryOfRank: Bool = false
) throws -> RunningProcess {
  let settings: [String: String?] = ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"]
  let options = [
    "-n", "\(ranks)", "--oversubscribe", "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism",
    "none",
  ]
  let change = directoryOfRank ? ["sh", "-c", #"cd "$OMPI_COMM_WORLD_RANK" && exec "$0" "$@""#] : []
  return try RunningProcess(
    "mpirun", options + change + [try builtProgram(program)] + arguments,
    environment: settings.merging(environment) { _, given in given }, directory: directory)
}

/// Runs a built program on so many ranks to its end, for at most `timeout` seconds; see `startJob`.
package func mpirun(
  ranks: Int, _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
  directory: String? = nil, timeout: Double = 60
) throws -> ProcessResult {
  try startJob(ranks: ranks, program, arguments, environment: environment, directory: directory)
    .wait(timeout: timeout)
}
