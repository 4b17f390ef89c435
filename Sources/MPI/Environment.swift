import COpenMPI
import CSupport
import Glibc
import Synchronization
import Threads

/// MPI in this process: from its start to its end.
package enum Environment {
  /// Starts MPI, lends the communicator of all ranks to `body` and ends MPI.
  ///
  /// A process that no `mpirun` started is a job of one rank. Calls into MPI may come from any thread, one at a time
  /// (`MPI_THREAD_SERIALIZED`). It can be done once in a process.
  ///
  /// - Parameters:
  ///   - report: is called with the error where `body` throws, to tell the user. A `JobError` is reported by rank 0
  ///     alone. It is done before MPI ends, since `mpirun` stops all ranks when it sees the first exit with an error.
  /// - Throws: what `body` throws. If that is a `JobError`, or there is but one rank, MPI has ended in order. Otherwise this
  ///   rank is alone with its error, the others may wait for it, and MPI has not ended: call `abort(status:)`.
  package static func run<Result>(
    reporting report: @escaping @Sendable (any Error) -> Void, _ body: (Communicator) throws -> Result
  ) throws -> Result {
    reporter.withLock { $0 = report }
    sweepAfterLauncher()
    defer { st_end_sweeper() }
    chooseTransport()
    yieldWhereCrowded()
    let (launcherWatch, world): (RepeatingThread?, Communicator)
    do { (launcherWatch, world) = (try watchLauncher(), try start()) } catch {
      report(error)
      throw error
    }
    defer { withExtendedLifetime(launcherWatch) {} }
    let result: Result
    do { result = try body(world) } catch {
      let isShared = error is JobError
      if !isShared || world.rank == 0 { report(error) }
      fflush(nil)
      // What mpirun has not read when it stops the failed job may be lost. No rank ends before all have come to this point.
      if isShared && world.size > 1 && world.rank == 0 { usleep(100_000) }
      if isShared || world.size == 1 { MPI_Finalize() }
      throw error
    }
    try call("MPI_Finalize") { MPI_Finalize() }
    return result
  }

  private static func start() throws -> Communicator {
    var provided: Int32 = 0
    try call("MPI_Init_thread") { MPI_Init_thread(nil, nil, Int32(MPI_THREAD_SERIALIZED), &provided) }
    guard provided >= Int32(MPI_THREAD_SERIALIZED) else {
      throw MPIError(
        function: "MPI_Init_thread", message: "this MPI library was built without support for threads")
    }
    return try Communicator.world()
  }

  /// Ends the whole job at once, whatever its other ranks do; `mpirun` then gives `status`. What has been printed is
  /// written out first.
  package static func abort(status: Int32) -> Never {
    fflush(nil)
    var (isInitialized, isFinalized): (Int32, Int32) = (0, 0)
    MPI_Initialized(&isInitialized)
    MPI_Finalized(&isFinalized)
    if isInitialized != 0, isFinalized == 0 { MPI_Abort(st_comm_world(), status) }
    exit(status)
  }

  private static let reporter = Mutex<(@Sendable (any Error) -> Void)?>(nil)

  /// Reports an error of this rank alone and ends the process, so that `mpirun` ends the job with status 1. For a thread
  /// besides the one that uses MPI, which may be waiting in it for ever. `mpirun` and its daemons wait for ever, too, for one
  /// that is suspended or cut off: they are killed if they do.
  static func end(reporting error: any Error) -> Never {
    reporter.withLock { $0?(error) }
    fflush(nil)
    st_remove_temporaries()
    // What mpirun has not read when it stops the failed job may be lost.
    usleep(100_000)
    if rankFromLauncher != nil { st_end_launcher_after(10) }
    _exit(1)
  }

  /// Ends this process when its launcher is gone, which would have ended it; nil where it has none.
  private static func watchLauncher() throws -> RepeatingThread? {
    guard rankFromLauncher != nil else { return nil }
    let launcher = getppid()
    return try RepeatingThread(every: 1) {
      guard getppid() != launcher else { return }
      st_remove_temporaries()
      _exit(1)
    }
  }

  /// Has what Open MPI keeps on this host, the folder of the job and the files of its shared memory, removed where
  /// `mpirun` or its daemon was killed and can't. One rank of a host sees to it.
  private static func sweepAfterLauncher() {
    guard number("OMPI_COMM_WORLD_LOCAL_RANK") == 0, let job = number("PMIX_NAMESPACE"),
      let folder = text("OMPI_MCA_orte_jobfam_session_dir"), folder.contains("/ompi.")
    else { return }
    st_begin_sweeper(
      folder, text("OMPI_MCA_btl_vader_backing_directory") ?? "/dev/shm", ".\(String(job, radix: 16)).")
  }

  /// The rank of this process as its launcher says, before MPI is started; 0 where no launcher does.
  package static var launchedRank: Int { rankFromLauncher ?? 0 }

  private static var rankFromLauncher: Int? {
    ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"].lazy.compactMap(number).first
  }

  /// Has ranks that wait leave their processor to others where the host has more ranks than processors. Open MPI does so
  /// by itself only where the ranks outnumber the slots that it was told of, and steps take many times as long.
  private static func yieldWhereCrowded() {
    guard let ranks = number("OMPI_COMM_WORLD_LOCAL_SIZE"), ranks > sysconf(Int32(_SC_NPROCESSORS_ONLN))
    else { return }
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 1)
  }

  /// The number that a variable of the environment holds.
  private static func number(_ name: String) -> Int? { text(name).flatMap { Int($0) } }

  /// What a variable of the environment holds.
  private static func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  /// Keeps Open MPI from waiting for what is not there; what the environment says stays.
  ///
  /// The libraries for fast networks look for devices for 0.1 s each, also on a host that has none: no InfiniBand or
  /// what Linux lists with it (Omni-Path, EFA, RoCE), no Slingshot, no True Scale. A process by itself starts a
  /// daemon (another 0.05 s) that only spawning processes needs, and makes a session directory that it does not use and
  /// whose removal can hit a job that is just starting.
  private static func chooseTransport() {
    let devices = ["/sys/class/infiniband", "/sys/class/cxi", "/dev/ipath"]
    if devices.allSatisfy({ access($0, F_OK) != 0 }) { setenv("OMPI_MCA_mtl", "^ofi,psm,psm2", 0) }
    guard rankFromLauncher == nil else { return }
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0)
    setenv("OMPI_MCA_orte_create_session_dirs", "0", 0)
  }
}
