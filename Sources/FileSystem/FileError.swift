import Glibc

/// A file or directory that could not be read or written.
package struct FileError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file.
  package let path: String
  /// The system's number for what went wrong; 0 where it was not the system that refused.
  package let code: Int32
  /// The whole message.
  package let description: String

  /// The system's numbers for a disk that takes no more.
  package static let noRoom = [ENOSPC, EDQUOT, EFBIG]

  /// The system's refusal of an action, such as "open".
  package init(_ path: String, _ action: String, code: Int32 = errno) {
    self.path = path
    self.code = code
    let advice = Self.noRoom.contains(code) ? "; make room, and give the command again" : ""
    description = "\(path): can't \(action): \(String(cString: strerror(code)))\(advice)"
  }

  /// A problem in words.
  package init(_ path: String, problem: String) {
    self.path = path
    code = 0
    description = "\(path): \(problem)"
  }
}
