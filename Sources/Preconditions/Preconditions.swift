import Glibc

// These take the place of the standard library's functions in every file that imports the module. Optimised code
// keeps the checks of those, but not their messages: the process would end by SIGILL without a word.

/// Ends the process with a message where `condition`, which only a fault of the program can make false, does not hold.
@inlinable @inline(__always)
package func precondition(
  _ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID,
  line: UInt = #line
) {
  if _slowPath(!condition()) { preconditionFailure(message(), file: file, line: line) }
}

/// Ends the process with a message, at a place that only a fault of the program can reach.
@inline(never) @usableFromInline
package func preconditionFailure(
  _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) -> Never {
  // Straight to the descriptor: whatever is wrong, it allocates little and waits for no lock.
  var text =
    "seqtrain: internal error: \(message()) (\(file):\(line)); this is a fault of the program, please report it\n"
  _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  abort()
}
