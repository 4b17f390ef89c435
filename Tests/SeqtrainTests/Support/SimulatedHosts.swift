import Glibc
import Synchronization
import TestSupport
import Testing

/// Hosts that are network namespaces of this one, each with a name and a link of its own to a bridge between them.
final class SimulatedHosts {
  /// Whether they can be had: root can make them, but not in every container.
  static let areAvailable: Bool = {
    (try? SimulatedHosts(1)) != nil
  }()

  let count: Int
  private let number: Int
  private let agent: String

  /// Some hosts, until it is no longer used.
  ///
  /// - Throws: `SystemError` where they can't be made.
  init(_ count: Int) throws {
    let number = Self.next.add(1, ordering: .relaxed).newValue
    self.number = number
    self.count = count
    agent = "/tmp/seqtrain-agent-\(getpid())-\(number)"
    try script("ip link add \(bridge) type bridge && ip link set \(bridge) up")
    for host in 1...count {
      try script(
        """
        ip netns add \(name(of: host))
        ip link add \(link(of: host)) type veth peer name eth0 netns \(name(of: host))
        ip link set \(link(of: host)) master \(bridge) up
        ip netns exec \(name(of: host)) ip addr add \(address(of: host))/24 dev eth0
        ip netns exec \(name(of: host)) ip link set eth0 up
        ip netns exec \(name(of: host)) ip link set lo up
        """)
    }
    // What mpirun starts its daemons on other hosts with, in place of ssh: HOST COMMAND...
    try writeBytes(
      """
      #!/bin/bash
      name=\(prefix)${1##*.}
      shift
      exec ip netns exec $name unshare --uts bash -c "hostname $name; $*"
      """.utf8, to: agent)
    chmod(agent, 0o755)
  }

  deinit {
    unlink(agent)
    for host in 1...count {
      for process in processes(on: host) { kill(process, SIGKILL) }
      try? script("ip netns del \(name(of: host))")
    }
    try? script("ip link del \(bridge)")
  }

  private static let next = Atomic(0)

  private var prefix: String { "seqtrain-\(getpid())-\(number)-" }
  // Names of links are short.
  private var bridge: String { "br\(getpid() % 1_000_000)-\(number)" }
  private func link(of host: Int) -> String { "v\(getpid() % 1_000_000)-\(number)-\(host)" }
  private func address(of host: Int) -> String { "10.\(100 + number % 100).\(getpid() % 250).\(host)" }

  /// The name of a host, counted from 1.
  func name(of host: Int) -> String { "\(prefix)\(host)" }

  private func script(_ text: String) throws {
    let result = try runProcess("bash", ["-ec", text])
    guard result.status == 0 else { throw SystemError("\(text): \(result.errors)", code: 0) }
  }

  /// Starts the program by mpirun from the first host on, with so many ranks on each.
  func start(ranks: [Int], _ arguments: [String], directory: String) throws -> RunningProcess {
    let hosts = ranks.enumerated().map { "\(address(of: $0 + 1)):\($1)" }.joined(separator: ",")
    let net = address(of: 0).split(separator: ".").dropLast().joined(separator: ".") + ".0/24"
    let options = [
      "--oversubscribe", "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism", "none", "--mca",
      "mpi_yield_when_idle", "1", "--mca", "plm_rsh_agent", agent, "--mca", "btl_tcp_if_include", net,
      "--mca",
      "oob_tcp_if_include", net, "--host", hosts, "-n", "\(ranks.reduce(0, +))",
    ]
    return try run(
      on: 1, ["mpirun"] + options + [try builtProgram("seqtrain")] + arguments, directory: directory)
  }

  /// Starts the program on one host, by itself.
  func start(on host: Int, _ arguments: [String], directory: String) throws -> RunningProcess {
    try run(on: host, [try builtProgram("seqtrain")] + arguments, directory: directory)
  }

  private func run(on host: Int, _ command: [String], directory: String) throws -> RunningProcess {
    try RunningProcess(
      "ip",
      ["netns", "exec", name(of: host), "unshare", "--uts", "bash", "-c", #"hostname "$0"; exec "$@""#]
        + [name(of: host)] + command,
      environment: ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"],
      directory: directory)
  }

  /// The processes on a host that still run.
  func processes(on host: Int) -> [pid_t] {
    let result = try? runProcess("ip", ["netns", "pids", name(of: host)])
    return (result?.output ?? "").split(separator: "\n").compactMap { pid_t($0) }
  }

  /// The processes of a program on a host.
  func processes(of program: String, on host: Int) -> [pid_t] {
    processes(on: host).filter {
      ((try? readBytes("/proc/\($0)/comm")).map { String(decoding: $0, as: UTF8.self) } ?? "")
        == "\(program)\n"
    }
  }

  /// Cuts a host's link, or mends it.
  func setLink(of host: Int, isUp: Bool) throws {
    try script("ip link set \(link(of: host)) \(isUp ? "up" : "down")")
  }

  /// The bytes that a host has sent.
  func sentBytes(of host: Int) throws -> Int {
    // What it sends is what this end of its link receives.
    let text = String(
      decoding: try readBytes("/sys/class/net/\(link(of: host))/statistics/rx_bytes"), as: UTF8.self)
    return try #require(Int(text.dropLast()))
  }
}

/// Skips a test where hosts can't be simulated.
let simulatesHosts = ConditionTrait.enabled(
  if: SimulatedHosts.areAvailable, "network namespaces can't be made here")
