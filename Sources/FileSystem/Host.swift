import Glibc

/// The name of this host.
package func hostName() -> String {
  var host = utsname()
  uname(&host)
  return withUnsafeBytes(of: &host.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
